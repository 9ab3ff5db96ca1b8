# Stand-in for PVE::RPCEnvironment (libpve-access-control): who asks, what an access control list of plain JSON allows him, and
# workers with a UPID and a log, which here are files below tasks/.
package PVE::RPCEnvironment;

use strict;
use warnings;
use POSIX ();
use PVE::Exception qw(raise_perm_exc);
use PVE::INotify;

my $environment;

sub init {
    my ($class, $type, %params) = @_;
    return $environment = bless { type => $type, acl => $params{acl} // {}, tasks => $params{tasks} }, $class;
}

sub get { return $environment // die "not initialized\n" }
sub set_user { $_[0]->{user} = $_[1] }

sub get_user {
    my ($self, $noerr) = @_;
    return $self->{user} if defined $self->{user} || $noerr;
    die "user name not set\n";
}

# A privilege on a path holds below it.
sub permissions {
    my ($self, $user, $path) = @_;
    my $list = $self->{acl}->{$user} // {};
    my %held;
    for my $root (keys %$list) {
        next if $root ne '/' && $path ne $root && index($path, "$root/") != 0;
        $held{$_} = 1 for @{ $list->{$root} };
    }
    return \%held;
}

sub check_full {
    my ($self, $user, $path, $privileges, $any, $noerr) = @_;
    return 1 if $user eq 'root@pam';
    my $held = $self->permissions($user, $path);
    my @missing = $held->{'*'} ? () : grep { !$held->{$_} } @$privileges;
    return 1 if $any ? @missing < @$privileges : !@missing;
    return undef if $noerr;
    raise_perm_exc("$path, " . join($any ? '|' : ', ', @missing));
}

sub check { my ($self, $user, $path, $privileges, $noerr) = @_; return $self->check_full($user, $path, $privileges, 0, $noerr) }
sub check_any { my ($self, $user, $path, $privileges, $noerr) = @_; return $self->check_full($user, $path, $privileges, 1, $noerr) }

sub exec_api2_perm_check {
    my ($self, $check, $user, $param, $noerr) = @_;
    my ($test, @rest) = @$check;
    if ($test eq 'and') {
        $self->exec_api2_perm_check($_, $user, $param) for @rest;
        return 1;
    }
    if ($test eq 'or') {
        for my $one (@rest) { return 1 if $self->exec_api2_perm_check($one, $user, $param, 1) }
        return 0 if $noerr;
        raise_perm_exc();
    }
    die "unknown permission test\n" if $test ne 'perm';
    my ($template, $privileges, %options) = @rest;
    (my $path = $template) =~ s/\{([^}]+)\}/$param->{$1} || '-'/ge;
    $path =~ s|/+|/|g;
    $path =~ s|/$||;
    $path = '/' if $path eq '';
    raise_perm_exc("no such path") if $path !~ m|^[[:alnum:]\.\-\_\/]+$|;
    return $self->check_full($user, $path, $privileges, $options{any}, $noerr);
}

sub check_api2_permissions {
    my ($self, $perm, $user, $param) = @_;
    raise_perm_exc('user != null') if !$user;
    return 1 if $user eq 'root@pam';
    raise_perm_exc('user != root@pam') if !$perm;
    return 1 if ($perm->{user} // '') eq 'all';
    return $self->exec_api2_perm_check($perm->{check}, $user, $param) if $perm->{check};
    raise_perm_exc();
}

sub fork_worker {
    my ($self, $type, $id, $user, $work) = @_;
    my $start = time;
    pipe(my $read, my $write) or die "no pipe: $!\n";
    pipe(my $told, my $tell) or die "no pipe: $!\n";
    my $pid = fork() // die "unable to fork worker - $!\n";
    my $upid = sprintf 'UPID:%s:%08X:%08X:%08X:%s:%s:%s:', PVE::INotify::nodename(), $pid || $$, start_time($pid || $$), $start, $type, $id // '', $user;
    if ($pid) {
        close $write;
        close $told;
        my $ready = <$read>; # its log is there
        die "starting worker failed\n" if !$ready;
        close $tell; # what it was named by is known: it may end
        return $upid;
    }
    POSIX::setsid();
    $SIG{$_} = sub { die "received interrupt\n" } for qw(INT TERM QUIT);
    $SIG{CHLD} = 'DEFAULT';
    close $read;
    close $tell;
    # the connection that asked must not stay open for as long as the worker runs
    POSIX::close($_) for grep { $_ > 2 && $_ != fileno $write && $_ != fileno $told } map { m{/(\d+)$} } glob "/proc/$$/fd/*";
    open STDIN, '<', '/dev/null';
    # like the real one this fails where the type, the id or the user is tainted
    open STDOUT, '>', "$self->{tasks}/$upid" or POSIX::_exit(1);
    open STDERR, '>&', \*STDOUT;
    $_->autoflush(1) for \*STDOUT, \*STDERR;
    print $write "ready\n";
    close $write;
    <$told>;
    eval { $work->($upid) };
    (my $error = $@) =~ s/\n/ /g;
    $error =~ s/\s+$//;
    print $error ne '' ? "TASK ERROR: $error\n" : "TASK OK\n";
    POSIX::_exit($error ne '' ? 1 : 0);
}

sub start_time {
    open my $file, '<', "/proc/$_[0]/stat" or return 0;
    my ($state, @facts) = split ' ', (<$file> =~ /\)\s(.*)/)[0];
    my ($number) = $facts[18] =~ /^([0-9]+)\z/;
    return $state eq 'Z' ? 0 : $number; # one that nobody has waited for yet has ended all the same
}

1;
