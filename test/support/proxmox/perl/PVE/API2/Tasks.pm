# Stand-in for PVE::API2::Tasks (pve-manager): the tasks of this node, their logs, and how they end.
package PVE::API2::Tasks;

use strict;
use warnings;
use base 'PVE::RESTHandler';
use PVE::Exception qw(raise_param_exc);
use PVE::JSONSchema qw(get_standard_option);
use PVE::RPCEnvironment;

my $upid_pattern = qr/^UPID:([^:]+):([0-9A-F]{8}):([0-9A-F]+):([0-9A-F]{8}):([^:]+):([^:]*):([^:\s]+):$/;

sub folder { return PVE::RPCEnvironment->get()->{tasks} }

sub task {
    my ($upid) = @_;
    my ($node, $pid, $pstart, $start, $type, $id, $user) = $upid =~ $upid_pattern or raise_param_exc({ upid => 'unable to parse worker upid' });
    open my $log, '<:encoding(UTF-8)', folder() . "/$upid" or raise_param_exc({ upid => 'no such task' });
    chomp(my @lines = <$log>);
    my $lives = PVE::RPCEnvironment::start_time(hex $pid) == hex $pstart;
    my $end = $lives ? undef : ($lines[-1] // '') =~ /^TASK (?:ERROR: (.*)|(OK))$/ ? $1 // $2 : 'unexpected status';
    my $facts = {
        upid => $upid, node => $node, pid => hex $pid, pstart => hex $pstart, starttime => hex $start,
        type => $type, id => $id, user => $user, status => $lives ? 'running' : 'stopped',
    };
    $facts->{exitstatus} = $end if defined $end;
    return ($facts, \@lines);
}

my %upid = (upid => { type => 'string' });
my $permissions = { user => 'all' };
my $start = { type => 'integer', minimum => 0, optional => 1 };

__PACKAGE__->register_method({
    name => 'node_tasks',
    path => '',
    permissions => $permissions,
    parameters => { properties => { node => get_standard_option('pve-node') } },
    code => sub {
        my @names = map { m{([^/]+)$} } glob folder() . '/UPID*';
        return [map { my ($facts) = task($_); $facts->{status} = delete $facts->{exitstatus} if exists $facts->{exitstatus}; $facts } reverse @names];
    },
});
__PACKAGE__->register_method({
    name => 'read_task_status',
    path => '{upid}/status',
    permissions => $permissions,
    parameters => { additionalProperties => 0, properties => { node => get_standard_option('pve-node'), %upid } },
    code => sub { my ($facts) = task($_[0]->{upid}); return $facts },
});
__PACKAGE__->register_method({
    name => 'read_task_log',
    path => '{upid}/log',
    permissions => $permissions,
    parameters => { properties => { node => get_standard_option('pve-node'), %upid, start => $start, limit => $start } },
    code => sub {
        my ($param) = @_;
        my (undef, $lines) = task($param->{upid});
        my $number = 0;
        return [map { { n => ++$number, t => $_ } } @$lines];
    },
});
__PACKAGE__->register_method({
    name => 'stop_task',
    path => '{upid}',
    method => 'DELETE',
    permissions => $permissions,
    parameters => { additionalProperties => 0, properties => { node => get_standard_option('pve-node'), %upid } },
    code => sub {
        my ($facts) = task($_[0]->{upid});
        kill 'TERM', $facts->{pid} if $facts->{status} eq 'running';
        return undef;
    },
});

1;
