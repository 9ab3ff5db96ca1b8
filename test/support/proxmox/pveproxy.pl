#!/usr/bin/perl -T
# Stand-in for pveproxy and pvedaemon in one process (pve-manager, libpve-http-server-perl): plain HTTP, files, the page of the web interface
# and /api2/json|extjs through the stand-ins beside it and the real bridge, which its real shim loads. Who asks is who the cookie says.
#
#   perl -T pveproxy.pl --socket /run/pve-cni/pve-cni.sock --pve-dir DIR --users users.json [--node NAME] [--listen 127.0.0.1:0]
#     [--index FILE] [--panel dist/pve-cni-panel.js] [--static /prefix/=DIR]...   prints {"port":N}
use strict;
use warnings;

my (%option, @static, $here);

BEGIN {
    $ENV{PATH} = '/sbin:/bin:/usr/sbin:/usr/bin';
    delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};
    ($here) = __FILE__ =~ m{^(.*)/[^/]+\z} ? $1 : '.';
    %option = (node => 'pve1', listen => '127.0.0.1:0', users => undef, panel => "$here/../../../dist/pve-cni-panel.js");
    while (defined(my $name = shift @ARGV)) {
        my ($value) = (shift(@ARGV) // die "$name wants a value\n") =~ /^(.*)\z/s; # the command line is the tester's
        $name =~ s/^--//;
        if ($name eq 'static') { push @static, [split /=/, $value, 2] }
        else { $option{$name} = $value }
    }
    # as on a node: the shim in a folder before all others, the bridge beside Proxmox's own
    my $first = "$option{'pve-dir'}/etc-perl";
    mkdir $_ for "$option{'pve-dir'}/tasks", $first, "$first/PVE";
    my $shim = $option{shim} // "$here/../../../pve-ui/perl/API2.pm";
    open my $from, '<', $shim or die "$shim: $!\n";
    open my $to, '>', "$first/PVE/API2.pm" or die "$first: $!\n";
    print $to do { local $/; <$from> };
    close $to;
    unshift @INC, $first, "$here/perl", $option{bridge} // "$here/../../../pve-ui/perl";
    require PVE::CNI::Settings;
    no warnings 'once';
    $PVE::CNI::Settings::socket = $option{socket};
    $PVE::CNI::Settings::panel_file = $option{panel};
    $PVE::CNI::Settings::kill_switch = "$option{'pve-dir'}/disable-api";
    $PVE::CNI::Settings::notes = "$option{'pve-dir'}/notes";
    ($0, @ARGV) = ('pveproxy', 'start');
}

use HTTP::Response;
use IO::Socket::INET;
use JSON ();
use POSIX ();
use PVE::INotify;
use PVE::RPCEnvironment;
use PVE::Service::pveproxy;

$PVE::INotify::name = $option{node};
$PVE::Service::pveproxy::template = $option{index};
my $json = JSON->new->utf8->allow_nonref;

# read anew for each request: tests change who may what
sub users { return $option{users} ? $json->decode(read_file($option{users})) : { 'root@pam' => { '/' => ['*'] } } }

sub read_file {
    my ($file) = @_;
    open my $handle, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$handle>;
}

my %types = (js => 'application/javascript', css => 'text/css', html => 'text/html; charset=utf-8', json => 'application/json', svg => 'image/svg+xml', png => 'image/png', woff => 'application/font-woff', ttf => 'application/font-snft');

my $listener = IO::Socket::INET->new(LocalAddr => $option{listen}, Listen => 64, ReuseAddr => 1) or die "cannot listen on $option{listen}: $!\n";
$| = 1;
print $json->encode({ port => $listener->sockport }), "\n";
$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { POSIX::_exit(0) };

while (1) {
    my $connection = $listener->accept or next;
    my $child = fork;
    if (defined $child && !$child) {
        close $listener;
        $SIG{CHLD} = 'DEFAULT';
        eval { serve($connection) };
        warn $@ if $@;
        POSIX::_exit(0);
    }
    close $connection;
}

sub serve {
    my ($connection) = @_;
    while (my $request = next_request($connection)) {
        my ($status, $reason, $type, $content) = answer($request);
        # like the real one, which cannot send a character beyond Latin-1 here
        my $head = "HTTP/1.1 $status " . ($reason =~ /^(.*)$/m)[0] . "\r\n";
        die "a wide character in the reason: $head" if !utf8::downgrade($head, 1);
        my $bytes = "${head}Content-Type: $type\r\nContent-Length: " . length($content) . "\r\nCache-Control: no-store\r\n\r\n$content";
        local $SIG{PIPE} = 'IGNORE';
        for (my $sent = 0; $sent < length $bytes;) { $sent += syswrite($connection, $bytes, length($bytes) - $sent, $sent) // return }
    }
}

sub next_request {
    my ($connection) = @_;
    my $bytes = '';
    while ($bytes !~ /\r\n\r\n/) {
        return undef if length $bytes > 65536;
        sysread($connection, $bytes, 65536, length $bytes) or return undef;
    }
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($first, @lines) = split /\r\n/, $head;
    my ($method, $target) = $first =~ m{^([A-Z]+) (\S+) HTTP/1\.[01]\z} or return undef;
    my %headers = map { /^([\w-]+):\s*(.*?)\s*\z/ ? (lc $1 => $2) : () } @lines;
    while (length $body < ($headers{'content-length'} // 0)) { sysread($connection, $body, 65536, length $body) or return undef }
    my ($path, $query) = split /\?/, $target, 2;
    return { method => $method, path => decoded($path), query => $query, headers => \%headers, body => $body };
}

sub decoded { my ($text) = @_; $text =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge; return $text }

sub answer {
    my ($request) = @_;
    my $path = $request->{path};
    return api($request, $1, $2) if $path =~ m{^/api2/(json|extjs)(/.*)\z}s;
    return page($request) if $path eq '/';
    return (200, 'OK', 'application/javascript', read_file($option{panel})) if $path eq '/pve2/js/pve-cni.js' && -f $option{panel};
    return file($path);
}

sub file {
    my ($path) = @_;
    for my $row (@static) {
        my ($prefix, $folder) = @$row;
        # a prefix may name one file
        my ($rest) = $path =~ m{^\Q$prefix\E([A-Za-z0-9_./~-]*)\z} or next;
        my $file = "$folder$rest";
        next if $rest =~ m{\.\.} || !-f $file;
        my ($extension) = $file =~ /\.(\w+)\z/;
        return (200, 'OK', $types{ $extension // '' } // 'application/octet-stream', read_file($file));
    }
    return (404, 'no such file', 'text/plain', "no such file\n");
}

# the user of the cookie, without any secret; or of an API token
sub user_of {
    my ($request) = @_;
    return $1 if ($request->{headers}->{authorization} // '') =~ /^PVEAPIToken=([^=]+)=/;
    return $1 ? decoded($1) : undef if ($request->{headers}->{cookie} // '') =~ /(?:^|;\s*)PVEAuthCookie=([^;]+)/;
    return undef;
}

sub page {
    my ($request) = @_;
    my $user = user_of($request) // '';
    my $vars = { username => $user, token => $user ? 'token' : '', caps => JSON->new->ascii->canonical->encode(caps_of($user)) };
    my $page = PVE::Service::pveproxy::get_index($option{node}, { vars => $vars }, $request, {});
    return ($page->code, $page->message, scalar $page->header('Content-Type'), $page->content);
}

# what a login answers as `cap`: the privileges of each kind of object, on whatever path
sub caps_of {
    my ($user) = @_;
    my %roots = (vms => 'vms', nodes => 'nodes', storage => 'storage', access => 'access', sdn => 'sdn', mapping => 'mapping', dc => '');
    my @all = qw(VM.Audit VM.Config.Network VM.Config.Options VM.PowerMgmt VM.Console Sys.Audit Sys.Modify Sys.Console SDN.Use SDN.Audit SDN.Allocate Permissions.Modify Datastore.Audit);
    my $list = $user eq 'root@pam' ? { '/' => ['*'] } : users()->{$user} // {};
    my %caps = map { $_ => {} } keys %roots;
    for my $kind (keys %roots) {
        for my $path (grep { $_ eq '/' || $_ eq "/$roots{$kind}" || index($_, "/$roots{$kind}/") == 0 && $roots{$kind} ne '' } keys %$list) {
            $caps{$kind}->{$_} = 1 for map { $_ eq '*' ? @all : $_ } @{ $list->{$path} };
        }
    }
    return \%caps;
}

sub parameters_of {
    my ($request) = @_;
    my $given = {};
    my $json_body = ($request->{headers}->{'content-type'} // '') =~ m{^application/json};
    $given = $json->decode($request->{body}) if $json_body && $request->{body} ne '';
    for my $text ($json_body ? () : $request->{body}, $request->{query} // '') {
        for my $pair (grep { $_ ne '' } split /[&;]/, $text) {
            my ($name, $value) = map { my $part = $_; $part =~ s/\+/ /g; $part = decoded($part); utf8::decode($part); $part } split /=/, $pair, 2;
            $given->{$name} = !defined $given->{$name} ? $value // '' : ref $given->{$name} ? [@{ $given->{$name} }, $value] : [$given->{$name}, $value];
        }
    }
    delete $given->{_dc};
    return $given;
}

# PVE::HTTPServer::rest_handler: find, permissions, the call; then the answer in the shape that the format wants
sub api {
    my ($request, $format, $path) = @_;
    my $result = eval {
        my $user = user_of($request) // die PVE::Exception->new("No ticket\n", code => 401);
        my $environment = PVE::RPCEnvironment->init('priv', acl => users(), tasks => "$option{'pve-dir'}/tasks");
        $environment->set_user($user);
        my $param = {};
        my ($handler, $info) = PVE::API2->find_handler($request->{method}, $path, $param);
        die PVE::Exception->new("Method '$request->{method} $path' not implemented\n", code => 501) if !$info;
        my $given = parameters_of($request);
        for my $name (keys %$given) {
            PVE::Exception::raise_param_exc({ $name => 'duplicate parameter (already defined in URI) with conflicting values!' })
                if defined $param->{$name} && $param->{$name} ne $given->{$name};
            $param->{$name} = $given->{$name};
        }
        $environment->check_api2_permissions($info->{permissions}, $user, $param);
        die "there is no node $param->{node} here\n" if $info->{proxyto} && $param->{ $info->{proxyto} } ne $option{node} && $param->{ $info->{proxyto} } ne 'localhost';
        { status => 200, data => $handler->handle($info, $param) };
    };
    if (my $error = $@) {
        $result = ref $error eq 'PVE::Exception'
            ? { status => $error->{code} || 500, message => $error->{msg}, errors => $error->{errors} }
            : { status => 500, message => "$error" };
    }
    my $body = { data => $result->{data} };
    $body->{errors} = $result->{errors} if $result->{errors};
    $body->{message} = $result->{message} if defined $result->{message};
    return ($result->{status}, $result->{message} // 'OK', 'application/json;charset=UTF-8', $json->encode($body)) if $format eq 'json';
    $body->{success} = $result->{status} < 400 && !$result->{errors} ? 1 : 0;
    $body->{status} = $result->{status} if $result->{status} >= 400;
    return (200, 'OK', 'application/json;charset=UTF-8', $json->encode($body));
}
