# Hostile parameters, names and users: nothing but the meant request reaches the service.
use strict;
use warnings;
use BridgeTest;
use Test::More;

load_api();
serve(sub { answer({ message => 'done', ok => JSON::true }) });
my $attach = 'nodes/pve1/lxc/101/cni/attach';

# what a call came to: the error's status, or the requests
sub outcome {
    my (@call) = @_;
    forget();
    my $error = error_of(@call);
    return ref $error ? $error->{code} : "$error" if $error;
    return [map { "$_->{method} $_->{path}" } asked()];
}

subtest 'names that climb, end lines or smuggle parameters are refused before anything is sent' => sub {
    for my $name ('../x', '..', '.', 'a/../../b', 'web/../../status', "web\n", "web\r\nX-PVE-CNI-User: root", "web\0", 'web?dryRun=true', 'web#x', 'web%2f..', ' web', 'web ', '', "w\x{e9}b", 'x' x 64, '{vmid}', '$(id)') {
        my $shown = join '', map { /[\x21-\x7e]/ ? $_ : sprintf '\\x%02x', ord } split //, $name;
        is(outcome('root@pam', 'GET', 'nodes/pve1/cni/networks/x', { network => $name }), 400, "network '$shown'");
        is(outcome('root@pam', 'POST', $attach, { ifname => 'eth1', network => $name }), 400, "in an attach too");
    }
    for my $path ('nodes/pve1/cni/networks/..', 'nodes/pve1/lxc/../cni/status', 'nodes/pve1/lxc/101%2f..%2f102/cni/status', 'nodes/pve1/lxc/0/cni/status', 'nodes/pve1/lxc/99/cni/status', 'nodes/pve1/lxc/1e3/cni/status') {
        like(outcome('root@pam', 'GET', $path), qr/^(?:400|501)\z/, "the path $path");
    }
};

subtest 'values of other types than the schema’s are refused' => sub {
    for my $given ({ network => ['web'] }, { network => { a => 1 } }, { ifname => [] }, { defaultRoute => 'maybe' }, { defaultRoute => 2 }, { address => ['10.0.0.1'] }, { address => 'auto; rm' }, { onFailure => 'panic' }, { unknown => 1 }, { interface => { name => 'eth1' } }, { allowPlugins => 1 }) {
        is(outcome('root@pam', 'POST', $attach, { ifname => 'eth1', network => 'web', %$given }), 400, join ' ', %$given);
    }
    is(outcome('root@pam', 'POST', 'cluster/cni/policies-check', { text => 'x' x 300_000 }), 400, 'a text beyond its size');
    is(outcome('root@pam', 'GET', 'nodes/pve1/cni/flows', { limit => '1e9' }), 400, 'a number in another notation');
    is(outcome('root@pam', 'GET', 'nodes/pve1/cni/flows', { limit => 99_999 }), 400, 'a number beyond its limit');
};

subtest 'what is sent in a query is one value' => sub {
    # schemas would refuse these: this is what stands behind them
    require PVE::CNI::Request;
    my $row = { service => { method => 'GET', path => '/v1/x/{name}' }, send => { name => { in => 'path', field => 'name', as => 'string' }, q => { in => 'query', field => 'q', as => 'string' } } };
    my ($request) = PVE::CNI::Request::build($row, { name => '..', q => "a&b=c#d e%20/\x{2603}" }, 'root@pam');
    is($request->{path}, '/v1/x/%2E%2E?q=a%26b%3Dc%23d%20e%2520%2F%E2%98%83', 'encoded to the last character');
    ($request) = PVE::CNI::Request::build({ %$row, service => { %{ $row->{service} }, query => { container => '{name}' } } }, { name => '101', q => '{name}' }, 'root@pam');
    is($request->{path}, '/v1/x/101?container=101&q=%7Bname%7D', 'and a value is never a template');
    is(eval { PVE::CNI::Request::build($row, { name => 'x', q => "a\r\nb" }, 'root@pam'); 1 } ? 'sent' : $@->{code}, 400, 'control characters are refused even where no pattern is');
};

subtest 'a text keeps its lines, and they stay in the body' => sub {
    forget();
    my $text = "kind: x\r\n\r\nGET /v1/status HTTP/1.1\r\nX-PVE-CNI-User: root\@pam\r\n\r\n";
    ask('root@pam', 'POST', 'cluster/cni/policies-check', { text => $text });
    my @requests = asked();
    is(scalar @requests, 1, 'one request');
    is($requests[0]->{body}->{text}, $text, 'with the whole text');
};

subtest 'a user’s name cannot add a header' => sub {
    my %sent = (
        "evil\@pve\r\nX-PVE-CNI-Door: cli" => 'evil@pve%0D%0AX-PVE-CNI-Door%3A%20cli',
        "evil\@pve\nX: y" => 'evil@pve%0AX%3A%20y',
        "m\x{fc}ller\@pve" => 'm%C3%BCller@pve',
        "\x{2603}'\"<>\\%\@pve" => '%E2%98%83%27%22%3C%3E%5C%25@pve',
        'x' x 200 => 'x' x 128,
        "\x{2603}" x 60 => '%E2%98%83' x 14,
    );
    for my $user (sort keys %sent) {
        allow({ $user => { '/' => ['*'] } });
        forget();
        ask($user, 'GET', 'nodes/pve1/cni/status');
        my ($request) = asked();
        is($request->{headers}->{'x-pve-cni-user'}, $sent{$user}, 'a strange name is written as in a URL');
        is($request->{headers}->{'x-pve-cni-door'}, 'api', 'nothing else has changed');
        is_deeply([grep { /^(?:x|broken)/ && !/^x-pve-cni-(?:user|door)\z/ } keys %{ $request->{headers} }], [], 'and no header came with it');
    }
    allow({});
    forget();
    ask('root@pam', 'GET', 'nodes/pve1/cni/status');
    is((asked())[0]->{headers}->{'x-pve-cni-user'}, 'root@pam', 'an ordinary one is');
};

subtest 'a user with letters of his own language can start tasks' => sub {
    allow({ "m\x{fc}ller\@pve" => { '/' => ['*'] } });
    forget();
    my $upid = ask("m\x{fc}ller\@pve", 'POST', $attach, { ifname => 'eth1', network => 'web' });
    like(task_log($upid), qr/^TASK OK$/m, 'it ends well');
    like((asked())[0]->{headers}->{'x-pve-cni-upid'}, qr/^UPID:pve1:.*:cniattach:101:m%C3%BCller\@pve:\z/, 'and is named to the service');
    allow({});
};

subtest 'keys and depths of answers do no harm' => sub {
    my $deep = '[' x 100_000 . ']' x 100_000;
    serve(sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: @{[length $deep]}\r\n\r\n$deep" });
    is(outcome('root@pam', 'GET', 'nodes/pve1/cni/status'), 502, 'an abyss of lists is rubbish');
    serve(sub { answer({ flows => [undef, 1, 'x', [], { from => 'x', to => [] }, { from => { vmid => {} } }] }) });
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'] } });
    is(ref error_of('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/flows'), '', 'lists of other things than flows');
    serve(sub { answer({ a => 1 }) });
    is_deeply(ask('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/networks'), [], 'no list where a filtered one should be');
    serve(sub { answer([1, undef, 'x', { name => '../../x' }, { name => undef }, { type => 'bridge' }]) });
    is_deeply(ask('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/networks'), [], 'things that are no networks');
};

done_testing();
