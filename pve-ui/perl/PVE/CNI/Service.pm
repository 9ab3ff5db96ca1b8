# What the bridge asks of the service, and what its answers and errors are to Proxmox.
package PVE::CNI::Service;

use strict;
use warnings;
use JSON ();
use List::Util qw(min);
use PVE::Exception ();
use PVE::CNI::Client;
use PVE::CNI::Settings;

my $json = codec();

# On lists of a thousand interfaces JSON in plain Perl takes a second; what is compiled takes milliseconds.
sub codec {
    for my $class (qw(JSON::XS Cpanel::JSON::XS)) {
        (my $file = "$class.pm") =~ s{::}{/}g;
        my $made = eval { require $file; $class->new->utf8->allow_nonref };
        return $made if $made;
    }
    return JSON->new->utf8->allow_nonref;
}

my $away = 'the service pve-cnid does not answer on this node (%s); look at: systemctl status pve-cni';
my %unreachable = (
    unsent => [503, $away],
    away => [503, $away],
    slow => [504, 'the service pve-cnid on this node gave %s; look at: journalctl -u pve-cni'],
    rubbish => [502, 'the service pve-cnid on this node gave %s; look at: journalctl -u pve-cni'],
);

# ask({ method, path, body }, { user, upid, fields, seconds }) returns the answer's data; dies with a PVE::Exception.
# `fields` says which parameter each field of the request came from.
# pvedaemon answers all of Proxmox with three workers, and the web interface asks again every few seconds: a service that hangs may hold
# them up once. After that it is asked with less patience, by all of them, until it answers again.
sub ask {
    my ($request, $context) = @_;
    my $mark = "$PVE::CNI::Settings::notes/slow";
    my $known = (stat $mark)[9];
    my $wary = defined $known && abs(time - $known) < $PVE::CNI::Settings::wary_seconds;
    my $seconds = min($context->{seconds}, $PVE::CNI::Settings::most_seconds, $wary ? $PVE::CNI::Settings::probe_seconds : ());
    my $data = eval { call($request, { %$context, seconds => $seconds }) };
    my $error = $@;
    if (!$error) {
        unlink $mark if defined $known;
        return $data;
    }
    put_mark($mark) if !$wary && ref $error eq 'PVE::Exception' && $error->{hangs};
    die $error;
}

sub put_mark {
    my ($mark) = @_;
    mkdir $PVE::CNI::Settings::notes, 0755;
    unlink $mark; # a new time, whoever made it
    open my $file, '>', $mark or return;
    close $file;
    return;
}

# For tasks: a service that is about to be restarted has done nothing yet and is asked again for a while.
sub ask_patiently {
    my ($request, $context) = @_;
    my $end = time + $PVE::CNI::Settings::again_seconds;
    for (my $told = 0;; $told = 1) {
        my $data = eval { call($request, $context) };
        my $error = $@;
        return $data if !$error;
        die $error if ref $error ne 'PVE::Exception' || !$error->{again} || time >= $end;
        print "waiting for the service: $error->{msg}" if !$told;
        sleep 1;
    }
}

# The same with the time that the context gives, whatever was before.
sub call {
    my ($request, $context) = @_;
    my $answer = eval {
        PVE::CNI::Client::request(
            method => $request->{method},
            path => $request->{path},
            headers => {
                'X-PVE-CNI-Door' => 'api',
                'X-PVE-CNI-User' => user_for_header($context->{user}),
                (defined $context->{upid} ? ('X-PVE-CNI-UPID' => upid_for_header($context->{upid})) : ()),
            },
            body => defined $request->{body} ? $json->encode($request->{body}) : undef,
            seconds => $context->{seconds},
        );
    };
    my $failure = $@;
    raise_unreachable($failure) if !$answer;
    my $data = eval { $json->decode($answer->{content}) };
    raise_unreachable({ kind => 'rubbish', reason => 'something that is not JSON' }) if $@;
    return $data if $answer->{status} < 300 && $answer->{type} =~ m{^application/json};
    raise_problem($answer->{status}, $data, $context->{fields} // {});
}

# Proxmox's user names may hold any letter, headers and the service's audit log only some characters: the others as in a URL.
sub for_header {
    my ($text) = @_;
    utf8::encode($text);
    $text =~ s/([^\x21-\x7e]|[%"'<>\\])/sprintf '%%%02X', ord $1/ge;
    return length $text > 128 ? substr($text, 0, 128) =~ s/%[0-9A-F]?\z//r : $text;
}

sub user_for_header {
    my ($user) = @_;
    return 'unknown' if !defined $user || $user eq '';
    return for_header($user) =~ s/([:\/])/sprintf '%%%02X', ord $1/ger;
}

# node, process and times are Proxmox's; type, id and user follow
sub upid_for_header {
    my ($upid) = @_;
    my ($head, $rest) = $upid =~ /^(UPID:(?:[^:]*:){4})(.*)\z/s;
    return defined $head ? $head . for_header($rest) : for_header($upid);
}

sub raise_unreachable {
    my ($failure) = @_;
    die $failure if ref $failure ne 'HASH'; # a task that was interrupted
    my ($code, $text) = @{ $unreachable{ $failure->{kind} } };
    throw(sprintf($text, $failure->{reason}), $code, undef, hangs => $failure->{kind} eq 'slow', again => $failure->{kind} eq 'unsent');
}

# codes of a service that has not begun with the request
my %not_yet = (SERVICE_STOPPING => 1, SERVICE_UNAVAILABLE => 1);

# RFC 9457 as Proxmox has it: status, one line, and what is wrong with which parameter.
sub raise_problem {
    my ($status, $problem, $fields) = @_;
    raise_unreachable({ kind => 'rubbish', reason => "an answer with status $status that is no problem" })
        if ref $problem ne 'HASH' || !defined $problem->{detail} || ref $problem->{detail};
    # 401 would log the user out of the web interface
    $status = 500 if $status < 400 || $status == 401;
    my $line = $problem->{detail};
    for my $part (qw(cure code)) {
        my $text = $problem->{$part};
        next if !defined $text || ref $text || $text eq '';
        $line .= $part eq 'cure' ? "; $text" : " [$text]";
    }
    throw($line, $status, errors_by_parameter($problem, $fields), again => $not_yet{ $problem->{code} // '' });
}

sub errors_by_parameter {
    my ($problem, $fields) = @_;
    my $issues = ref $problem->{context} eq 'HASH' ? $problem->{context}->{issues} : undef;
    return undef if ref $issues ne 'ARRAY';
    my %errors;
    for my $issue (grep { ref eq 'HASH' } @$issues) {
        my ($field, $message) = @$issue{qw(field message)};
        next if !defined $field || ref $field || !defined $message || ref $message;
        # interface.address.0 belongs to the parameter of interface.address
        my $parameter;
        for (my $name = $field; $name ne '' && !defined $parameter; $name =~ s/(?:^|\.)[^.]*\z//) { $parameter = $fields->{$name} }
        next if !defined $parameter;
        my $line = one_line($message);
        $errors{$parameter} = defined $errors{$parameter} ? "$errors{$parameter}; $line" : $line;
    }
    return %errors ? \%errors : undef;
}

sub throw {
    my ($message, $code, $errors, %facts) = @_;
    die PVE::Exception->new(one_line($message) . "\n", code => $code, ($errors ? (errors => $errors) : ()), %facts);
}

my %plain = ("\x{2018}" => "'", "\x{2019}" => "'", "\x{201c}" => '"', "\x{201d}" => '"', "\x{2013}" => '-', "\x{2014}" => '-', "\x{2026}" => '...');

# Messages become HTTP's reason phrase, in which pveproxy can send neither line ends nor characters beyond Latin-1.
sub one_line {
    my ($text) = @_;
    $text =~ s/[\x00-\x20\x7f]+/ /g;
    $text =~ s/([^\x20-\x7e])/$plain{$1} \/\/ '?'/ge;
    $text =~ s/^ | \z//g;
    return length $text > 1000 ? substr($text, 0, 997) . '...' : $text;
}

1;
