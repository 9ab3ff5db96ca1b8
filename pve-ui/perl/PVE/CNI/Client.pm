# One HTTP/1.1 request over the service's unix socket, with limits on its time and on the size of its answer. Core Perl only.
package PVE::CNI::Client;

use strict;
use warnings;
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Socket::UNIX;
use Time::HiRes ();
use PVE::CNI::Settings;

my $head_bytes = 64 * 1024;

# request(method => 'GET', path => '/v1/status', headers => {…}, body => bytes, seconds => 20)
# Returns { status, type, content } or dies with { kind => 'unsent' | 'away' | 'slow' | 'rubbish', reason }.
sub request {
    my (%wish) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $deadline = Time::HiRes::time() + $wish{seconds};
    my $socket = connected();
    # a service that refuses early may answer before it has read everything
    my $unsent = send_all($socket, bytes_of(\%wish), $deadline);
    my $answer = eval { receive($socket, $deadline) };
    if (my $failure = $@) {
        fail('away', $unsent) if $unsent && ($failure->{kind} // '') eq 'rubbish';
        die $failure;
    }
    return $answer;
}

sub connected {
    my $socket = IO::Socket::UNIX->new(
        Type => SOCK_STREAM,
        Peer => $PVE::CNI::Settings::socket,
        Timeout => $PVE::CNI::Settings::connect_seconds,
    ) or fail('unsent', "$!");
    $socket->blocking(0);
    return $socket;
}

# What may stand in a request line or a header: nothing that could end it, whatever was given.
sub bytes_of {
    my ($wish) = @_;
    my $body = $wish->{body};
    my %headers = (
        Host => 'pve-cni',
        Connection => 'close',
        Accept => 'application/json',
        (defined $body ? ('Content-Type' => 'application/json', 'Content-Length' => length $body) : ()),
        %{ $wish->{headers} // {} },
    );
    my $head = join "\r\n", "$wish->{method} $wish->{path} HTTP/1.1", map { "$_: $headers{$_}" } sort keys %headers;
    fail('rubbish', 'the request holds a control character') if $head =~ s/\r\n/ /gr =~ /[^\x20-\x7e]/;
    return "$head\r\n\r\n" . ($body // '');
}

sub send_all {
    my ($socket, $bytes, $deadline) = @_;
    my $sent = 0;
    while ($sent < length $bytes) {
        my $count = syswrite $socket, $bytes, length($bytes) - $sent, $sent;
        if (defined $count) { $sent += $count }
        elsif ($!{EAGAIN} || $!{EWOULDBLOCK}) { wait_for($socket, 1, $deadline) }
        elsif (!$!{EINTR}) { return "$!" }
    }
    return undef;
}

sub receive {
    my ($socket, $deadline) = @_;
    my $bytes = '';
    my ($status, $headers, $start, $length);
    while (1) {
        if (!defined $start && $bytes =~ /\r\n\r\n/) {
            $start = $+[0];
            ($status, $headers) = head_of(substr $bytes, 0, $start);
            $length = $headers->{'content-length'};
            fail('rubbish', 'an answer without its length') if !defined $length || $length !~ /^[0-9]{1,12}\z/;
            fail('rubbish', "an answer of $length bytes") if $length > $PVE::CNI::Settings::answer_bytes;
        }
        last if defined $start && length($bytes) - $start >= $length;
        fail('rubbish', 'a head without an end') if !defined $start && length $bytes > $head_bytes;
        my $count = sysread $socket, $bytes, 65536, length $bytes;
        next if $count;
        if (defined $count) { fail('rubbish', length $bytes ? 'an answer that was cut off' : 'no answer') }
        elsif ($!{EAGAIN} || $!{EWOULDBLOCK}) { wait_for($socket, 0, $deadline) }
        elsif (!$!{EINTR}) { fail('away', "$!") }
    }
    return { status => $status, type => $headers->{'content-type'} // '', content => substr($bytes, $start, $length) };
}

sub head_of {
    my ($head) = @_;
    my ($first, @lines) = split /\r\n/, $head;
    my ($status) = $first =~ m{^HTTP/1\.[01] ([1-5][0-9]{2})(?: |\z)} or fail('rubbish', 'something that is not HTTP');
    fail('rubbish', "status $status") if $status < 200;
    my %headers = map { /^([\w-]+):[ \t]*(.*?)[ \t]*\z/ ? (lc $1 => $2) : () } @lines;
    return (0 + $status, \%headers);
}

sub wait_for {
    my ($socket, $writing, $deadline) = @_;
    my $left = $deadline - Time::HiRes::time();
    fail('slow', 'no answer in time') if $left <= 0;
    my $set = '';
    vec($set, fileno $socket, 1) = 1;
    my ($read, $write) = $writing ? (undef, $set) : ($set, undef);
    select $read, $write, undef, $left; # a signal, or the end of the time: the caller tries again
    return;
}

sub fail {
    my ($kind, $reason) = @_;
    die { kind => $kind, reason => $reason };
}

1;
