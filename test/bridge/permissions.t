# Who may do what: Proxmox's privileges on paths, for calls, for single parameters, and for the objects of lists.
use strict;
use warnings;
use BridgeTest;
use Test::More;

load_api();
my $flow_ends = sub { return map { { kind => 'container', vmid => $_, name => "ct$_", address => "10.0.0.$_" } } @_ };
serve(
    sub {
        my ($request) = @_;
        return answer([map { { name => $_, type => 'bridge', subnets => ['10.0.0.0/24'], containers => [101, 102] } } qw(web secret)])
            if $request->{path} eq '/v1/networks';
        if ($request->{path} =~ m{^/v1/flows}) {
            my ($from, $to, $other) = $flow_ends->(101, 102, 103);
            return answer({ flows => [{ from => $from, to => $to }, { from => $other, to => $from }, { from => $from, to => { kind => 'world', vmid => undef, name => 'example.org' } }], next => undef, losses => [] });
        }
        return answer({ message => 'done', ok => JSON::true, said => ['container 101 and container 102, container 103'], number => 102 });
    }
);
my $attach = 'nodes/pve1/lxc/101/cni/attach';
my %eth1 = (ifname => 'eth1', network => 'web');

# whether a call of the user is let through; what stops it otherwise
sub verdict {
    my $error = error_of(@_);
    return 'allowed' if !$error;
    return ref $error ? "$error->{code} $error->{msg}" =~ s/\n//r : "$error";
}

subtest 'attaching wants the container and the network' => sub {
    allow({
        'both@pve' => { '/vms/101' => ['VM.Config.Network'], '/sdn/zones/cni/web' => ['SDN.Use'] },
        'container@pve' => { '/vms/101' => ['VM.Config.Network'] },
        'network@pve' => { '/sdn/zones/cni/web' => ['SDN.Use'] },
        'other@pve' => { '/vms/102' => ['VM.Config.Network'], '/sdn/zones/cni/web' => ['SDN.Use'] },
        'zone@pve' => { '/vms' => ['VM.Config.Network'], '/sdn/zones/cni' => ['SDN.Use'] },
    });
    is(verdict('both@pve', 'POST', $attach, {%eth1}), 'allowed', 'with both');
    is(verdict('zone@pve', 'POST', $attach, {%eth1}), 'allowed', 'with both on what is above them');
    like(verdict('container@pve', 'POST', $attach, {%eth1}), qr{^403 .*/sdn/zones/cni/web, SDN.Use}, 'not without the network');
    like(verdict('network@pve', 'POST', $attach, {%eth1}), qr{^403 .*/vms/101, VM.Config.Network}, 'not without the container');
    like(verdict('other@pve', 'POST', $attach, {%eth1}), qr{^403 .*/vms/101}, 'not with another container');
    like(verdict('both@pve', 'POST', $attach, { %eth1, network => 'db' }), qr{^403 .*/sdn/zones/cni/db}, 'not to another network');
};

subtest 'identity and reach beyond the container want Sys.Modify on /' => sub {
    allow({
        'op@pve' => { '/vms/101' => ['VM.Config.Network'], '/sdn/zones/cni/web' => ['SDN.Use'] },
        'admin@pve' => { '/' => ['VM.Config.Network', 'SDN.Use', 'Sys.Modify'] },
    });
    forget();
    for my $given ({ address => '10.0.0.9' }, { onFailure => 'start' }, { onFailure => 'refuse' }) {
        my ($name, $value) = %$given;
        like(verdict('op@pve', 'POST', $attach, { %eth1, %$given }), qr{^403 .*\(/, Sys.Modify\)}, "$name $value is refused");
        is(verdict('admin@pve', 'POST', $attach, { %eth1, %$given }), 'allowed', "and an administrator may give it");
    }
    is(verdict('op@pve', 'POST', $attach, { %eth1, address => 'auto', defaultRoute => 1 }), 'allowed', 'what concerns the container alone needs no more');
};

subtest 'a check needs to see the container, a repair to configure it' => sub {
    allow({ 'look@pve' => { '/vms/101' => ['VM.Audit'] }, 'op@pve' => { '/vms/101' => [ 'VM.Audit', 'VM.Config.Network' ] } });
    my $check = 'nodes/pve1/lxc/101/cni/check';
    is(verdict('look@pve', 'POST', $check, {}), 'allowed', 'a check');
    is(verdict('look@pve', 'POST', $check, { repair => '0' }), 'allowed', 'without repair');
    like(verdict('look@pve', 'POST', $check, { repair => '1' }), qr{^403 .*VM.Config.Network}, 'a repair is refused');
    like(verdict('look@pve', 'POST', $check, { repair => JSON::true }), qr{^403 .*VM.Config.Network}, 'as JSON as well');
    is(verdict('look@pve', 'POST', $check, { repair => JSON::false }), 'allowed', 'and false is none');
    is(verdict('op@pve', 'POST', $check, { repair => '1' }), 'allowed', 'who may configure may repair');
};

subtest 'a user is shown only the networks that he may use, and of these only name and type' => sub {
    allow({ 'op@pve' => { '/vms/101' => ['VM.Audit'], '/sdn/zones/cni/web' => ['SDN.Use'] } });
    is_deeply(ask('op@pve', 'GET', 'nodes/pve1/lxc/101/cni/networks'), [{ name => 'web', type => 'bridge' }], 'one of two');
    is_deeply([map { $_->{name} } @{ ask('root@pam', 'GET', 'nodes/pve1/lxc/101/cni/networks') }], [qw(web secret)], 'root sees all');
    like(verdict('op@pve', 'GET', 'nodes/pve1/cni/networks'), qr{^403 .*Sys.Audit}, 'lists of the node are for who may look at the node');
    like(verdict('op@pve', 'GET', 'cluster/cni/networks'), qr{^403 .*Sys.Audit}, 'lists of the cluster for who may look at all');
};

subtest 'flows name no other containers but those that the user may look at' => sub {
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'] }, 'two@pve' => { '/vms/101' => ['VM.Audit'], '/vms/102' => ['VM.Audit'] } });
    my $names = sub { return [map { my $flow = $_; map { $flow->{$_}->{name} } qw(from to) } @{ ask($_[0], 'GET', 'nodes/pve1/lxc/101/cni/flows')->{flows} }] };
    is_deeply($names->('one@pve'), ['ct101', '', '', 'ct101', 'ct101', 'example.org'], 'none');
    is_deeply($names->('two@pve'), ['ct101', 'ct102', '', 'ct101', 'ct101', 'example.org'], 'one');
    is_deeply($names->('root@pam'), ['ct101', 'ct102', 'ct103', 'ct101', 'ct101', 'example.org'], 'all');
    my $flow = ask('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/flows')->{flows}->[0];
    is($flow->{to}->{vmid}, undef, 'nor their numbers');
    is($flow->{to}->{address}, '10.0.0.102', 'their addresses are in the packets anyway');
};

subtest 'what is said of a container names no other containers but those that the user may look at' => sub {
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'] }, 'two@pve' => { '/vms/101' => ['VM.Audit'], '/vms/102' => ['VM.Audit'] } });
    for my $path (qw(status interfaces policy operations)) {
        my $said = sub { return ask($_[0], 'GET', "nodes/pve1/lxc/101/cni/$path")->{said} };
        is_deeply($said->('one@pve'), ['container 101 and another container, another container'], "$path: none");
        is_deeply($said->('two@pve'), ['container 101 and container 102, another container'], "$path: one");
        is_deeply($said->('root@pam'), ['container 101 and container 102, container 103'], "$path: all");
        is(JSON::encode_json([ask('one@pve', 'GET', "nodes/pve1/lxc/101/cni/$path")->{number}]), '[102]', "$path: numbers stay numbers");
    }
};

subtest 'one container cannot be asked about in the branch of another' => sub {
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'] } });
    forget();
    like(verdict('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/flows', { container => '102' }), qr{^400}, 'flows');
    like(verdict('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/operations', { vmid => '102' }), qr{^403}, 'operations');
    is(verdict('one@pve', 'GET', 'nodes/pve1/lxc/101/cni/flows', { verdict => 'forwarded' }), 'allowed', 'other filters are taken');
    like((asked())[-1]->{path}, qr/[?&]container=101(?:&|\z)/, 'and its number is sent');
};

subtest 'cluster objects are changed with Sys.Modify on /' => sub {
    allow({ 'auditor@pve' => { '/' => ['Sys.Audit'] }, 'admin@pve' => { '/' => ['Sys.Audit', 'Sys.Modify'] }, 'node@pve' => { '/nodes/pve1' => ['Sys.Modify'] } });
    my @changes = grep { $_->{method} ne 'GET' && !/-(?:check|diff)$/ } @{ document()->{branches}->{cluster}->{methods} };
    for my $row (grep { $_->{path} !~ /-(?:check|diff)\z/ } @changes) {
        my (undef, $info) = PVE::API2->find_handler($row->{method}, "cluster/cni/$row->{path}" =~ s/\{\w+\}/x/gr, {});
        is_deeply($info->{permissions}->{check}, ['perm', '/', ['Sys.Modify']], "$row->{method} $row->{path}");
    }
    like(verdict('auditor@pve', 'DELETE', 'cluster/cni/policies/x'), qr{^403 .*Sys.Modify}, 'an auditor may not');
    like(verdict('node@pve', 'DELETE', 'cluster/cni/policies/x'), qr{^403}, 'nor an administrator of one node');
    is(verdict('admin@pve', 'DELETE', 'cluster/cni/policies/x'), 'allowed', 'an administrator may');
    is(verdict('auditor@pve', 'POST', 'cluster/cni/policies-check', { text => 'x' }), 'allowed', 'a check changes nothing');
};

subtest 'only root himself may name the binary of a plugin' => sub {
    my ($row) = grep { $_->{service}->{rootMay} } @{ document()->{branches}->{cluster}->{methods} };
    plan skip_all => 'the service cannot write networks yet' if !$row;
    allow({ 'admin@pve' => { '/' => ['*'] } });
    for my $case (['root@pam', JSON::true], ['root@pam!token', JSON::false], ['admin@pve', JSON::false]) {
        my ($user, $may) = @$case;
        allow({ $user => { '/' => ['*'] } });
        forget();
        ask($user, 'PUT', 'cluster/cni/networks/web', { text => "type: bridge\n" });
        my ($request) = asked();
        is($request->{body}->{ $row->{service}->{rootMay} }, $may, "$user: " . ($may ? 'yes' : 'no'));
    }
    like(verdict('admin@pve', 'PUT', 'cluster/cni/networks/web', { text => 'x', allowPlugins => 1 }), qr{^400}, 'nobody can say it for himself');
};

subtest 'a policy between two containers is explained to who may look at both' => sub {
    my ($row) = grep { $_->{path} eq 'explain' } @{ document()->{branches}->{container}->{methods} };
    plan skip_all => 'the service cannot explain yet' if !$row;
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'] }, 'two@pve' => { '/vms/101' => ['VM.Audit'], '/vms/102' => ['VM.Audit'] } });
    my $explain = 'nodes/pve1/lxc/101/cni/explain';
    like(verdict('one@pve', 'GET', $explain, { to => '102' }), qr{^403 .*/vms/102}, 'not with one of them');
    is(verdict('two@pve', 'GET', $explain, { to => '102' }), 'allowed', 'with both');
    is(verdict('one@pve', 'GET', $explain, { from => 'world' }), 'allowed', 'the world is everybody’s');
    for my $address ('10.0.0.102', 'fd00::66') {
        like(verdict('one@pve', 'GET', $explain, { to => $address }), qr{^403 .*/nodes/pve1.*Sys\.Audit}, "nor with $address, which may be the other’s: the answer would say whose it is");
        like(verdict('one@pve', 'GET', $explain, { from => $address }), qr{^403}, 'in neither direction');
    }
    allow({ 'one@pve' => { '/vms/101' => ['VM.Audit'], '/nodes/pve1' => ['Sys.Audit'] }, 'two@pve' => { '/vms/101' => ['VM.Audit'], '/vms/102' => ['VM.Audit'] } });
    is(verdict('one@pve', 'GET', $explain, { to => '10.0.0.102' }), 'allowed', 'who sees all interfaces of the node may ask about addresses');
    forget();
    ask('two@pve', 'GET', $explain, { from => '102', port => 80 });
    like((asked())[0]->{path}, qr/[?&]from=102(?:&.*)?&to=101(?:&|\z)/, 'the container is the other end');
    like(verdict('two@pve', 'GET', $explain, { from => '101', to => '102' }), qr{^400}, 'both ends are too many');
    like(verdict('two@pve', 'GET', $explain, {}), qr{^400}, 'none is too few');
};

done_testing();
