# Every route of the table: it resolves, carries its permission, and forwards to the service what it was given.
use strict;
use warnings;
use BridgeTest;
use Test::More;

load_api();
serve(sub { answer({ ok => JSON::true, message => 'done' }) });

my %above = (node => 'nodes/pve1/cni', container => 'nodes/pve1/lxc/101/cni', cluster => 'cluster/cni');
my %sample = (
    network => 'web', ifname => 'eth1', name => 'one', id => 'op-1', vmid => 101, node => 'pve1', text => "a: 1\nb: 2\n", address => '10.0.0.9,fd00::9',
    port => 80, since => '2026-11-24T00:00:00Z', from => 'world', digest => 'd' x 40,
);

# some value that the schema takes
sub value_of {
    my ($name, $schema) = @_;
    return $schema->{enum}->[0] if $schema->{enum};
    return 1 if ($schema->{type} // '') eq 'boolean';
    return $sample{$name} if defined $sample{$name};
    return $schema->{minimum} // 5 if ($schema->{type} // '') eq 'integer';
    return $schema->{pattern} && '101' !~ /^$schema->{pattern}$/ ? 'web' : '101';
}

my $document = document();
for my $branch (sort keys %{ $document->{branches} }) {
    for my $row (@{ $document->{branches}->{$branch}->{methods} }) {
        (my $path = "$above{$branch}/$row->{path}") =~ s/\{(\w+)\}/$sample{$1}/g;
        subtest "$row->{method} $path resolves, is guarded and forwards" => sub {
            my $param = {};
            my ($class, $info) = PVE::API2->find_handler($row->{method}, $path, $param);
            ok($info, 'it resolves') or return;
            ok($info->{protected}, 'pvedaemon answers it');
            is($info->{proxyto}, $branch eq 'cluster' ? undef : 'node', 'the right node answers it');
            ok($info->{permissions}->{check}, 'it wants a permission');
            is($info->{parameters}->{additionalProperties}, 0, 'it takes no other parameters');
            ok(length $info->{description}, 'it is described');
            ok(ref $info->{returns} eq 'HASH' && $info->{returns}->{type}, 'its answer is described');
            is(ref error_of('nobody@pve', $row->{method}, $path), 'PVE::Exception', 'somebody without permissions is refused');
            is(error_of('nobody@pve', $row->{method}, $path)->{code}, 403, 'with 403');
            is(scalar asked(), 0, 'and nothing reaches the service');

            my %given;
            for my $name (grep { !exists $param->{$_} } keys %{ $row->{parameters} }) {
                next if $row->{oneOf} && $name ne $row->{oneOf}->[0] && grep { $_ eq $name } @{ $row->{oneOf} };
                next if $row->{service}->{instead} && exists $row->{service}->{instead}->{$name};
                $given{$name} = value_of($name, $info->{parameters}->{properties}->{$name});
            }
            my $data = ask('root@pam', $row->{method}, $path, \%given);
            like(task_log($data), qr/^done\nTASK OK$/m, 'its task says what the service says') if $row->{task};
            my ($request, @more) = asked();
            is(scalar @more, 0, 'one request reaches the service') or diag explain \@more;
            is($request->{method}, $row->{service}->{method}, 'with the method');
            (my $wanted = $row->{service}->{path}) =~ s/\{(\w+)\}/$param->{$1} \/\/ $given{$1}/ge;
            like($request->{path}, qr/^\Q$wanted\E(?:\?|\z)/, 'at the path');
            for my $name (keys %given) {
                my $send = $row->{send}->{$name};
                next if ($send->{in} // '') eq 'path';
                my $value = $request->{body};
                if ($send->{in} eq 'query') { ($value) = $request->{path} =~ /[?&]\Q$send->{field}\E=([^&]*)/ }
                else { $value = (ref $value eq 'HASH' ? $value : {})->{$_} for split /\./, $send->{field} }
                ok(defined $value, "$name is sent as $send->{in} $send->{field}");
            }
            my $headers = $request->{headers};
            is($headers->{'x-pve-cni-door'}, 'api', 'the door is named');
            is($headers->{'x-pve-cni-user'}, 'root@pam', 'the user is named');
            is($headers->{'x-pve-cni-upid'}, $row->{task} ? $data : undef, 'and the task, when there is one');
            forget();
        };
    }
}

for my $branch (sort keys %above) {
    subtest "the index of $above{$branch} lists what is below it, and needs no service" => sub {
        my %subdirs = map { (split m{/}, $_->{path})[0] => 1 } @{ $document->{branches}->{$branch}->{methods} };
        is_deeply(ask('nobody@pve', 'GET', $above{$branch}), [map { { subdir => $_ } } sort keys %subdirs], 'as Proxmox lists directories');
        my (undef, $info) = PVE::API2->find_handler('GET', $above{$branch}, {});
        is($info->{returns}->{links}->[0]->{href}, '{subdir}', 'pvesh finds the children');
    };
}

subtest 'types of JSON reach the service, whatever text was given' => sub {
    my $upid = ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname => 'eth1', network => 'web', address => '10.0.0.9, fd00::9' =~ s/ //r, defaultRoute => '0' });
    task_log($upid);
    my ($request) = asked();
    is_deeply(
        $request->{body},
        { interface => { name => 'eth1', network => 'web', address => ['10.0.0.9', 'fd00::9'], defaultRoute => JSON::false } },
        'addresses are a list, a boolean is one',
    );
    forget();
    task_log(ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname => 'eth1', network => 'web', address => 'auto' }));
    is((asked())[0]->{body}->{interface}->{address}, 'auto', 'auto stays a word');
    forget();
};

subtest 'characters of all languages arrive, and come back' => sub {
    serve(sub { answer({ name => "caf\x{e9} \x{2603}" }) });
    my $data = ask('root@pam', 'POST', 'cluster/cni/policies-check', { text => "# caf\x{e9} \x{2603}\n" });
    is($data->{name}, "caf\x{e9} \x{2603}", 'in the answer');
    is((asked())[0]->{body}->{text}, "# caf\x{e9} \x{2603}\n", 'in the request');
};

done_testing();
