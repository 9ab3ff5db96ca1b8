# What the Perl tests share: the stand-ins of Proxmox with the real bridge in them, loaded by the real shim, and a scripted service.
package BridgeTest;

use strict;
use warnings;
use base 'Exporter';
use File::Temp ();
use IO::Socket::UNIX;
use JSON ();
use POSIX ();

our @EXPORT = qw(ask asked answer allow document error_of folder forget load_api serve repository task_log);

my $repository = __FILE__ =~ m{^(.*)/test/bridge/lib/[^/]+\z} ? $1 : '.';
our $temporary = File::Temp->newdir('pve-cni-bridge-XXXXXX', TMPDIR => 1);
my ($folder) = "$temporary" =~ /^(.*)\z/s; # under -T what comes from outside may name no file to be written
my $json = JSON->new->utf8->canonical->allow_nonref;
my @children;
my $owner = $$;

sub repository { return $repository }
sub folder { return $folder }

END {
    if ($$ == $owner) {
        my $status = $?; # waitpid sets it
        kill 'KILL', @children;
        waitpid $_, 0 for @children;
        $? = $status;
    }
}

sub document { return $json->decode(read_file("$repository/pve-ui/perl/PVE/CNI/routes.json")) }

sub read_file {
    my ($file) = @_;
    open my $handle, '<:raw', $file or return '';
    local $/;
    return scalar(<$handle>) // '';
}

# Proxmox's API with the bridge's branches, loaded as a daemon loads it.
sub load_api {
    mkdir "$folder/$_" for qw(etc-perl etc-perl/PVE tasks notes);
    open my $shim, '>', "$folder/etc-perl/PVE/API2.pm" or die "$!\n";
    print $shim read_file("$repository/pve-ui/perl/API2.pm");
    close $shim;
    unshift @INC, "$folder/etc-perl", "$repository/test/support/proxmox/perl", "$repository/pve-ui/perl";
    require PVE::CNI::Settings;
    no warnings 'once';
    $PVE::CNI::Settings::socket = "$folder/pve-cni.sock";
    $PVE::CNI::Settings::kill_switch = "$folder/disable-api";
    $PVE::CNI::Settings::notes = "$folder/notes";
    require PVE::API2;
    allow({});
}

my $acl = {};
sub allow { $acl = $_[0]; return }

# One call as pveproxy makes it. Returns the data; an error is thrown.
sub ask {
    my ($user, $method, $path, $given) = @_;
    my $environment = PVE::RPCEnvironment->init('priv', acl => $acl, tasks => "$folder/tasks");
    $environment->set_user($user);
    my $param = {};
    my ($handler, $info) = PVE::API2->find_handler($method, $path, $param);
    die PVE::Exception->new("Method '$method $path' not implemented\n", code => 501) if !$info;
    $param = { %$param, %{ $given // {} } };
    $environment->check_api2_permissions($info->{permissions}, $user, $param);
    return $handler->handle($info, $param);
}

# The error of a call: a PVE::Exception, or what else was thrown; undef when there was none.
sub error_of {
    my @call = @_;
    return undef if eval { ask(@call); 1 };
    return $@;
}

# A service on the socket: `$script` gets a request { method, path, headers, body } and the connection, and gives the bytes to answer.
sub serve {
    my ($script) = @_;
    forget();
    unlink "$folder/pve-cni.sock";
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$folder/pve-cni.sock", Listen => 16) or die "$!\n";
    my $pid = fork // die "$!\n";
    if ($pid) {
        push @children, $pid;
        return;
    }
    local $SIG{PIPE} = 'IGNORE';
    while (my $connection = $listener->accept) {
        my $request = eval { request_from($connection) } or next;
        open my $log, '>>', "$folder/requests" or die;
        syswrite $log, $json->encode($request) . "\n";
        close $log;
        my $bytes = $script->($request, $connection);
        print $connection $bytes if defined $bytes;
        $connection->flush;
        close $connection;
    }
    POSIX::_exit(0);
}

sub request_from {
    my ($connection) = @_;
    my $bytes = '';
    while ($bytes !~ /\r\n\r\n/) { sysread $connection, $bytes, 65536, length $bytes or die "no request\n" }
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($first, @lines) = split /\r\n/, $head;
    my %headers = map { /^([\w-]+): (.*)\z/s ? (lc $1 => $2) : ("broken $_" => 1) } @lines;
    while (length $body < ($headers{'content-length'} // 0)) { sysread $connection, $body, 65536, length $body or die "cut\n" }
    my ($method, $path) = split / /, $first;
    return { method => $method, path => $path, headers => \%headers, body => $body eq '' ? undef : $json->decode($body) };
}

# The requests that came to the service since it was told to forget.
sub asked { return map { $json->decode($_) } split /\n/, read_file("$folder/requests") }
sub forget { unlink "$folder/requests"; return }

# An HTTP answer with a JSON body.
sub answer {
    my ($data, $status, $type) = @_;
    my $body = $json->encode($data);
    return "HTTP/1.1 @{[$status // 200]} X\r\nContent-Type: @{[$type // 'application/json']}\r\nContent-Length: @{[length $body]}\r\n\r\n$body";
}

# The log of a task when it has ended.
sub task_log {
    my ($upid) = @_;
    my ($file) = "$folder/tasks/$upid" =~ m{^([^\0]+)\z};
    for (1 .. 3000) {
        my $log = read_file($file);
        return $log if $log =~ /^TASK (?:OK|ERROR: .*)$/m;
        select undef, undef, undef, 0.02;
    }
    return "waited in vain:\n" . read_file($file);
}

1;
