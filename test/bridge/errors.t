# What Proxmox says when the service refuses, is down, is slow, or answers rubbish.
use strict;
use warnings;
use BridgeTest;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes ();

load_api();
no warnings 'once';
$PVE::CNI::Settings::again_seconds = 0;
my $status = 'nodes/pve1/cni/status';
my $gc = 'nodes/pve1/cni/gc';

sub problem {
    my ($code, %more) = @_;
    return answer({ type => "errors.md#$code", title => 'T', status => 409, detail => 'cannot do it', code => $code, cure => '', context => {}, %more }, $more{status} // 409, 'application/problem+json');
}

# the error of a call, while the service does as scripted
sub with_service {
    my ($script, @call) = @_;
    serve($script);
    return error_of('root@pam', @call ? @call : ('GET', $status));
}

subtest 'a refusal keeps its status; message, cure and code become one line' => sub {
    my $error = with_service(sub { problem('CONFLICT', status => 409, detail => 'cannot write "web": it has changed', cure => 'read it again') });
    isa_ok($error, 'PVE::Exception');
    is($error->{code}, 409, 'status');
    is($error->{msg}, qq{cannot write "web": it has changed; read it again [CONFLICT]\n}, 'line');
};

subtest 'what is wrong with a field is said of the parameter it came from' => sub {
    my $issues = [
        { field => 'text', message => 'unknown key "x"' },
        { field => 'text', message => 'and another' },
        { field => 'text.spec.0', message => 'deep' },
        { field => 'elsewhere', message => 'nobody gave this' },
        'rubbish', { field => {} },
    ];
    my $error = with_service(sub { problem('REQUEST_INVALID', status => 400, context => { issues => $issues }) }, 'POST', 'cluster/cni/policies-check', { text => 'x' });
    is($error->{code}, 400, 'status');
    is_deeply($error->{errors}, { text => 'unknown key "x"; and another; deep' }, 'errors by parameter');
};

subtest 'the service’s 401 is none of Proxmox’s, which would log the user out' => sub {
    is(with_service(sub { problem('X', status => 401) })->{code}, 500, '500 instead');
};

subtest 'a message can neither end the line nor hold what a reason phrase cannot' => sub {
    my $error = with_service(sub { problem('X', detail => "first\r\nSet-Cookie: a=b\n\x00\x1b[31m caf\x{e9} \x{2019}quoted\x{2019} \x{2603}") });
    is($error->{msg}, "first Set-Cookie: a=b [31m caf? 'quoted' ? [X]\n", 'plain characters on one line');
    $error = with_service(sub { problem('X', detail => 'x' x 100_000) });
    cmp_ok(length $error->{msg}, '<', 1100, 'of bounded length');
};

subtest 'a service that is down' => sub {
    unlink folder() . '/pve-cni.sock';
    my $error = error_of('root@pam', 'GET', $status);
    is($error->{code}, 503, 'its socket is not there: 503');
    like($error->{msg}, qr/pve-cnid does not answer on this node \(No such file or directory\); look at: systemctl status pve-cni\n\z/, 'with what to look at');
    my $dead = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => folder() . '/pve-cni.sock', Listen => 1) or die;
    close $dead;
    is(error_of('root@pam', 'GET', $status)->{code}, 503, 'nobody listens: 503');
    like(task_log(ask('root@pam', 'POST', $gc)), qr/^TASK ERROR: the service pve-cnid does not answer/m, 'a task ends with it');
};

my @slow = (
    ['says nothing', sub { sleep 60; undef }],
    ['stops in the head', sub { my ($request, $connection) = @_; syswrite $connection, "HTTP/1.1 200 OK\r\nContent-"; sleep 60; undef }],
    ['stops in the body', sub { my ($request, $connection) = @_; syswrite $connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"; sleep 60; undef }],
    ['drips', sub { my ($request, $connection) = @_; for (1 .. 600) { syswrite $connection, 'H' or return undef; Time::HiRes::sleep(0.1) } undef }],
);
for my $case (@slow) {
    my ($name, $script) = @$case;
    subtest "a service that $name is given up after its time" => sub {
        local $PVE::CNI::Settings::most_seconds = 1;
        my $error = with_service($script);
        unlink folder() . '/notes/slow';
        is($error->{code}, 504, 'status 504');
        like($error->{msg}, qr/no answer in time/, 'and says so');
    };
}

subtest 'a service that hangs is asked with less patience by everybody, until it answers again' => sub {
    # what each request is given, without the service's time
    my @given;
    my $request = \&PVE::CNI::Client::request;
    my $limit = 0.3;
    no warnings 'redefine';
    local *PVE::CNI::Client::request = sub { my (%wish) = @_; push @given, $wish{seconds}; return $request->(%wish, seconds => $limit) };
    local $PVE::CNI::Settings::most_seconds = 25;
    local $PVE::CNI::Settings::probe_seconds = 0.5;
    unlink folder() . '/notes/slow';
    serve(sub { sleep 60; undef });
    is(error_of('root@pam', 'GET', $status)->{code}, 504, 'it hangs once');
    is(error_of('root@pam', 'GET', 'nodes/pve1/cni/doctor')->{code}, 504, 'and again');
    is(error_of('root@pam', 'POST', 'cluster/cni/policies-check', { text => 'x' })->{code}, 504, 'and again');
    is_deeply(\@given, [10, 0.5, 0.5], 'with its time at first, then with little');
    my $hours = time - 7200;
    utime $hours, $hours, folder() . '/notes/slow';
    is(error_of('root@pam', 'GET', $status)->{code}, 504, 'some time later');
    is($given[-1], 10, 'it has its time again');
    serve(sub { answer({}) });
    $limit = 60;
    is(error_of('root@pam', 'GET', $status), undef, 'when it answers');
    is(error_of('root@pam', 'GET', 'nodes/pve1/cni/doctor'), undef, 'once');
    is_deeply([@given[-2, -1]], [0.5, 25], 'it is trusted at once');
};

my $long = 'x' x 70_000;
my @rubbish = (
    ['closes at once', sub { '' }],
    ['is cut off', sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}" }],
    ['does not speak HTTP', sub { "SSH-2.0-OpenSSH_9.2\r\n\r\n" }],
    ['sends a head without end', sub { "HTTP/1.1 200 OK\r\nX: $long" }],
    ['does not say the length', sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}" }],
    ['gives a length that is none', sub { "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n{}" }],
    ['sends chunks', sub { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" }],
    ['promises too much', sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{}" }],
    ['sends no JSON', sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello" }],
    ['sends bytes that are no text', sub { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n\"\xff\xfe\"" }],
    ['sends a page', sub { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n\"hi\"" }],
    ['goes on for ever at 100', sub { "HTTP/1.1 100 Continue\r\n\r\n" }],
    ['fails without a problem', sub { answer({ error => 'no' }, 500) }],
    ['fails with a problem of another shape', sub { answer({ detail => { a => 1 } }, 500, 'application/problem+json') }],
    ['redirects', sub { "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 2\r\n\r\n{}" }],
);
for my $case (@rubbish) {
    my ($name, $script) = @$case;
    subtest "a service that $name is answered with 502" => sub {
        my $error = with_service($script);
        is($error->{code}, 502, 'status 502') or diag explain $error;
        like($error->{msg}, qr/\Athe service pve-cnid on this node gave [\x20-\x7e]+; look at: journalctl -u pve-cni\n\z/, 'and what it gave');
    };
}

subtest 'an answer as large as they get is taken, one beyond the limit is not' => sub {
    my $data = with_service(sub { answer({ big => 'x' x 3_000_000 }) });
    is($data, undef, 'no error');
    is(length ask('root@pam', 'GET', $status)->{big}, 3_000_000, 'all of it comes');
    local $PVE::CNI::Settings::answer_bytes = 1_000_000;
    is(error_of('root@pam', 'GET', $status)->{code}, 502, 'the limit holds');
};

subtest 'a refusal before the whole request was read is still the refusal' => sub {
    serve(sub { problem('CONFIG_TOO_LARGE', status => 413, detail => 'too large') });
    my $error = error_of('root@pam', 'POST', 'cluster/cni/policies-check', { text => 'x' x 250_000 });
    is($error->{code}, 413, 'status 413') or diag explain $error;
};

subtest 'a task whose request fails says why and ends as failed' => sub {
    my $upid = do { serve(sub { problem('IPAM_ADDRESS_TAKEN', detail => 'cannot attach eth1: 10.0.0.9 is taken', cure => 'choose another') }); ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname => 'eth1', network => 'web' }) };
    like(task_log($upid), qr/^TASK ERROR: cannot attach eth1: 10\.0\.0\.9 is taken; choose another \[IPAM_ADDRESS_TAKEN\]$/m, 'in its last line');
};

subtest 'a task that is stopped lets go of its request' => sub {
    my $mark = folder() . '/gone';
    serve(sub {
        my ($request, $connection) = @_;
        open my $begun, '>', "$mark-begun";
        close $begun;
        sysread $connection, my $bytes, 1; # ends when the client goes away
        open my $file, '>', $mark;
        return undef;
    });
    my $upid = ask('root@pam', 'POST', $gc);
    for (1 .. 3000) { last if -e "$mark-begun"; select undef, undef, undef, 0.02 }
    ask('root@pam', 'DELETE', "nodes/pve1/tasks/$upid");
    like(task_log($upid), qr/^TASK ERROR: received interrupt$/m, 'the task ends');
    for (1 .. 3000) { last if -e $mark; select undef, undef, undef, 0.02 }
    ok(-e $mark, 'the service sees its client go');
};

subtest 'a task waits for a service that is being restarted' => sub {
    local $PVE::CNI::Settings::again_seconds = 60;
    my $count = folder() . '/count';
    serve(sub {
        open my $file, '>>', $count or die;
        syswrite $file, 'x';
        my $code = (undef, 'SERVICE_STOPPING', 'SERVICE_UNAVAILABLE')[-s $file];
        return $code ? problem($code, status => 503, detail => "it is $code") : answer({ message => 'done at last' });
    });
    is(task_log(ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname => 'eth1', network => 'web' })),
        "waiting for the service: it is SERVICE_STOPPING [SERVICE_STOPPING]\ndone at last\nTASK OK\n", 'and says once that it waits');
    unlink $count;
    serve(sub { open my $file, '>>', $count or die; syswrite $file, 'x'; return problem('IPAM_ADDRESS_TAKEN', status => 503) });
    task_log(ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname => 'eth1', network => 'web' }));
    is(-s $count, 1, 'any other refusal is final');
};

subtest 'what went wrong in a check fails its task' => sub {
    serve(sub { answer({ ok => JSON::false, results => [{ what => 'eth0', ok => JSON::true, message => 'as it should be' }, { what => 'eth1', ok => JSON::false, message => 'gone', error => undef }] }) });
    my $log = task_log(ask('root@pam', 'POST', 'nodes/pve1/lxc/101/cni/check'));
    like($log, qr/^ok: eth0: as it should be\nFAILED: eth1: gone\nTASK ERROR: not everything is as it should be$/m, 'with a line for each');
};

subtest 'a collection of garbage names what it removed' => sub {
    serve(sub { answer({ dryRun => JSON::false, leaks => [{ kind => 'pin', what => "/run/netns/ct9\nTASK OK", why => 'no such container', removed => JSON::true }] }) });
    is(task_log(ask('root@pam', 'POST', $gc)), "removed pin /run/netns/ct9 TASK OK (no such container)\nTASK OK\n", 'one line each, and nobody else ends the log');
};

done_testing();
