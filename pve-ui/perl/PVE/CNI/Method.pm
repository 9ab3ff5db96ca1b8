# A row of routes.json → what PVE::RESTHandler registers: the declaration, and the code that forwards.
package PVE::CNI::Method;

use strict;
use warnings;
use PVE::Exception ();
use PVE::JSONSchema qw(get_standard_option);
use PVE::RPCEnvironment;
use PVE::CNI::Permission;
use PVE::CNI::Request;
use PVE::CNI::Service;
use PVE::CNI::Settings;

sub info {
    my ($row) = @_;
    my $parameters = parameters_of($row);
    return {
        name => $row->{name},
        path => $row->{path},
        method => $row->{method},
        description => $row->{description},
        protected => 1, # the socket is root's: pvedaemon forwards
        (exists $parameters->{node} ? (proxyto => 'node') : ()),
        permissions => $row->{permissions},
        parameters => { additionalProperties => 0, properties => $parameters },
        returns => $row->{task} ? { type => 'string', description => 'the task' } : $row->{returns},
        code => $row->{task} ? sub { return as_task($row, $_[0]) } : sub { return at_once($row, $_[0]) },
    };
}

# The subdirectories of a branch, which needs no service.
sub index_info {
    my ($branch, $subdirs) = @_;
    my @names = grep { $_ eq 'node' || $_ eq 'vmid' } @{ $branch->{parameters} };
    return {
        name => 'index',
        path => '',
        method => 'GET',
        description => $branch->{description},
        permissions => { user => 'all' },
        parameters => { additionalProperties => 0, properties => { map { $_ => get_standard_option("pve-$_") } @names } },
        returns => {
            type => 'array',
            items => { type => 'object', properties => { subdir => { type => 'string' } } },
            links => [{ rel => 'child', href => '{subdir}' }],
        },
        code => sub {
            refuse_when_switched_off();
            return [map { { subdir => $_ } } @$subdirs];
        },
    };
}

sub parameters_of {
    my ($row) = @_;
    my %schemas;
    for my $name (keys %{ $row->{parameters} }) {
        my %schema = %{ $row->{parameters}->{$name} };
        my $standard = delete $schema{standard};
        $schemas{$name} = $standard ? get_standard_option($standard, \%schema) : \%schema;
    }
    return \%schemas;
}

sub prepared {
    my ($row, $param) = @_;
    refuse_when_switched_off();
    my $user = PVE::RPCEnvironment::get()->get_user();
    my ($request, $fields) = PVE::CNI::Request::build($row, $param, $user);
    PVE::CNI::Permission::check_parameters($row->{rules}, $user, $param);
    return ($request, { user => $user, fields => $fields });
}

sub at_once {
    my ($row, $param) = @_;
    my ($request, $context) = prepared($row, $param);
    my $data = PVE::CNI::Service::ask($request, { %$context, seconds => $row->{seconds} });
    return PVE::CNI::Permission::visible($row->{filter}, $context->{user}, $data) if $row->{filter};
    return PVE::CNI::Permission::hushed($row->{hush}, $context->{user}, $param, $data) if $row->{hush};
    return PVE::CNI::Permission::masked($row->{mask}, $context->{user}, $param, $data) if $row->{mask};
    return $data;
}

sub as_task {
    my ($row, $param) = @_;
    my ($request, $context) = prepared($row, $param);
    my $work = sub {
        my ($upid) = @_;
        my $data = eval { PVE::CNI::Service::ask_patiently($request, { %$context, upid => $upid, seconds => $PVE::CNI::Settings::task_seconds }) };
        if (my $error = $@) { die ref $error && defined $error->{msg} ? $error->{msg} : $error } # the log has no use for the status
        print "$_\n" for words_of($data);
        die "not everything is as it should be\n" if ref $data eq 'HASH' && exists $data->{ok} && !$data->{ok};
    };
    my $id = defined $row->{task}->{id} ? $param->{ $row->{task}->{id} } : undef;
    return PVE::RPCEnvironment::get()->fork_worker($row->{task}->{type}, $id, $context->{user}, $work);
}

# What the service says of its work, as lines of the task's log.
sub words_of {
    my ($data) = @_;
    return () if ref $data ne 'HASH';
    my @lines = defined $data->{message} && !ref $data->{message} ? $data->{message} : ();
    push @lines, map { ($_->{ok} ? 'ok: ' : 'FAILED: ') . join ': ', grep { defined && !ref && $_ ne '' } @$_{qw(what message)} }
        grep { ref eq 'HASH' } @{ $data->{results} } if ref $data->{results} eq 'ARRAY';
    push @lines, map { ($_->{removed} ? 'removed ' : 'left ') . join ' ', grep { defined && !ref } @$_{qw(kind what)}, defined $_->{why} ? "($_->{why})" : () }
        grep { ref eq 'HASH' } @{ $data->{leaks} } if ref $data->{leaks} eq 'ARRAY';
    push @lines, 'nothing was to be done' if ref $data->{leaks} eq 'ARRAY' && !@{ $data->{leaks} };
    return map { s/[\x00-\x1f\x7f]+/ /gr } map { my $line = $_; utf8::encode($line); $line } @lines;
}

sub refuse_when_switched_off {
    return if !PVE::CNI::Settings::switched_off();
    die PVE::Exception->new("the API of pve-cni is switched off by $PVE::CNI::Settings::kill_switch\n", code => 503);
}

1;
