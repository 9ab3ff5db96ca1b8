# The shim in a program of its own, as the daemons load it: whatever is broken of ours, Proxmox is as if it were not there.
use strict;
use warnings;
use BridgeTest;
use JSON ();
use Test::More;

$ENV{PATH} = '/usr/bin:/bin';
delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};

my $number = 0;
my $stand_ins = repository() . '/test/support/proxmox/perl';

sub write_file {
    my ($file, $text) = @_;
    my $path = '';
    for my $part (split m{/}, $file =~ s{/[^/]+\z}{}r) { $path .= "$part/"; mkdir $path }
    open my $handle, '>', $file or die "$file: $!\n";
    print $handle $text;
    close $handle or die;
}

sub text_of { my ($file) = @_; open my $handle, '<', $file or die "$file: $!\n"; local $/; return (<$handle> // '') =~ /\A(.*)\z/s ? $1 : '' }

# A program that loads pveproxy with everything in a folder of its own. `files` replaces or adds, below etc-perl/, bridge/ and pve/; undef removes.
sub program {
    my (%wish) = @_;
    my ($folder) = folder() . '/' . ++$number;
    my %files = ('etc-perl/PVE/API2.pm' => text_of(repository() . '/pve-ui/perl/API2.pm'));
    for my $file (glob repository() . '/pve-ui/perl/PVE/CNI/*') {
        my ($name) = $file =~ m{([^/]+)\z};
        $files{"bridge/PVE/CNI/$name"} = text_of($file);
    }
    %files = (%files, %{ $wish{files} // {} });
    s{/etc/pve-cni/disable-api}{$folder/disable-api}g for grep { defined } @files{qw(etc-perl/PVE/API2.pm bridge/PVE/CNI/Settings.pm)};
    $files{'bridge/PVE/CNI/Settings.pm'} =~ s{/usr/share/pve-manager/js/pve-cni.js}{$folder/pve-cni.js} if $files{'bridge/PVE/CNI/Settings.pm'};
    $files{'bridge/PVE/CNI/Settings.pm'} =~ s{/run/pve-cni-bridge}{$folder/notes} if $files{'bridge/PVE/CNI/Settings.pm'};
    $files{'pve-cni.js'} = '// panel' if !$wish{no_panel};
    for my $name (keys %files) { write_file("$folder/$name", $files{$name}) if defined $files{$name} }
    write_file("$folder/$wish{touch}", '') if $wish{touch};
    my $report = <<'END';
my %report = (handlers => {});
for my $path (qw(version nodes/n/version nodes/n/lxc/100 cluster/resources nodes/n/cni nodes/n/lxc/100/cni cluster/cni)) {
    my ($class) = eval { PVE::API2->find_handler('GET', $path, {}) };
    $report{handlers}->{$path} = $class if $class;
}
if (PVE::Service::pveproxy->can('get_index')) {
    my $page = eval { PVE::Service::pveproxy::get_index('pve1', {}, undef, {}) };
    $report{page} = ref $page && eval { $page->can('content') } ? $page->content : $page;
}
$report{error} = "$@" if $@;
END
    my $load = $wish{load} // 'use PVE::Service::pveproxy;';
    write_file("$folder/pvedaemon", "$load\n$report\nuse JSON (); print JSON->new->canonical->encode(\\%report), qq{\\n};\n");
    my @include = map { "-I$_" } ($wish{without_shim} ? () : "$folder/etc-perl"), ($wish{extra} ? "$folder/$wish{extra}" : ()), $stand_ins, "$folder/bridge";
    my $pid = open(my $output, '-|') // die "$!\n";
    if (!$pid) {
        open STDERR, '>', "$folder/stderr" or die;
        exec '/usr/bin/perl', '-T', @include, "$folder/pvedaemon", $wish{argument} // 'start' or die;
    }
    my $text = do { local $/; <$output> } // '';
    close $output;
    my $stderr = text_of("$folder/stderr");
    my $seen = eval { JSON::decode_json($text) } // { died => $stderr };
    return ($seen, $stderr, $folder);
}

my ($bare) = program(without_shim => 1);
is_deeply([sort keys %{ $bare->{handlers} }], [qw(cluster/resources nodes/n/lxc/100 nodes/n/version version)], 'without the shim Proxmox has its own handlers');

subtest 'the shim adds three branches and one script, without a word' => sub {
    my ($seen, $stderr, $folder) = program();
    is($stderr, '', 'quiet');
    for my $path (sort keys %{ $bare->{handlers} }) { is($seen->{handlers}->{$path}, $bare->{handlers}->{$path}, "$path stays") }
    is_deeply([grep { !$bare->{handlers}->{$_} } sort keys %{ $seen->{handlers} }], [qw(cluster/cni nodes/n/cni nodes/n/lxc/100/cni)], 'the branches');
    my $without = $seen->{page} =~ s{\n    <script type="text/javascript" src="/pve2/js/pve-cni\.js\?ver=[0-9][A-Za-z0-9.+~-]*"></script>}{}r;
    is($without, $bare->{page}, 'the page is the same but for the script');
    isnt($seen->{page}, $bare->{page}, 'which is there');
    my $note = JSON::decode_json(text_of("$folder/notes/pvedaemon"));
    is($note->{version}, document()->{version}, 'the daemon notes which version it has loaded');
    cmp_ok(abs($note->{time} - time), '<', 600, 'and when');
    (undef, undef, $folder) = program(argument => 'status');
    ok(!-e "$folder/notes/pvedaemon", 'what is no daemon notes nothing');
};

subtest 'a daemon that cannot load it notes why, and forgets nothing else' => sub {
    my (undef, undef, $folder) = program(files => { 'bridge/PVE/CNI/routes.json' => '{}' });
    like(JSON::decode_json(text_of("$folder/notes/pvedaemon"))->{error}, qr/the API is not extended: .*another format/, 'for the doctor');
    my ($seen, $stderr) = program(files => { notes => 'a file where the folder should be' });
    ok($seen->{handlers}->{'nodes/n/cni'}, 'a note that cannot be written changes nothing');
    is($stderr, '', 'and is no matter');
};

my $method = text_of(repository() . '/pve-ui/perl/PVE/CNI/Method.pm');
my $register = text_of(repository() . '/pve-ui/perl/PVE/CNI/Register.pm');
my $routes = text_of(repository() . '/pve-ui/perl/PVE/CNI/routes.json');
my @broken = (
    ['the kill switch is set', { touch => 'disable-api' }, undef],
    ['routes.json is broken', { files => { 'bridge/PVE/CNI/routes.json' => substr $routes, 0, 5000 } }, qr/the API is not extended/],
    ['routes.json is not there', { files => { 'bridge/PVE/CNI/routes.json' => undef } }, qr/is not there/],
    ['routes.json is of another format', { files => { 'bridge/PVE/CNI/routes.json' => '{"format":2}' } }, qr/another format/],
    ['routes.json is a list', { files => { 'bridge/PVE/CNI/routes.json' => '[]' } }, qr/another format/],
    ['routes.json names a branch that nobody knows', { files => { 'bridge/PVE/CNI/routes.json' => $routes =~ s/"cluster": \{/"storage": {/r } }, qr/unknown branch storage/],
    ['a route is there twice', { files => { 'bridge/PVE/CNI/routes.json' => $routes =~ s/"path": "topology"/"path": "status"/r } }, qr/duplicate method/],
    ['a parameter wants an option that Proxmox has no more', { files => { 'bridge/PVE/CNI/routes.json' => $routes =~ s/pve-vmid/pve-gone/gr } }, qr/no such standard option/],
    ['a module is missing', { files => { 'bridge/PVE/CNI/Client.pm' => undef } }, qr/Can't locate PVE\/CNI\/Client.pm/],
    ['all modules are missing', { files => { map { ("bridge/PVE/CNI/$_" => undef) } map { m{([^/]+)\z} } glob repository() . '/pve-ui/perl/PVE/CNI/*' } }, qr/Can't locate PVE\/CNI\/Register.pm/],
    ['a module has a syntax error', { files => { 'bridge/PVE/CNI/Method.pm' => "$method\nsub {{{" } }, qr/the API is not extended/],
    ['a module is not true', { files => { 'bridge/PVE/CNI/Register.pm' => $register =~ s/1;\n\z/0;\n/r } }, qr/did not return a true value/],
    ['a module dies', { files => { 'bridge/PVE/CNI/Method.pm' => "$method\ndie 'ouch';\n" } }, qr/ouch/],
    ['a module dies with an object that cannot be shown', { files => { 'bridge/PVE/CNI/Method.pm' => "package Bad; use overload '\"\"' => sub { die 'worse' }; package main; die bless {}, 'Bad';\n" } }, undef],
    ['a container is numbered by another parameter', { files => { 'pve/PVE/API2/LXC.pm' => text_of("$stand_ins/PVE/API2/LXC.pm") =~ s/\{vmid\}/{id}/r }, extra => 'pve' }, qr/has no parameter vmid/],
    ['the cluster is elsewhere', { files => { 'pve/PVE/API2.pm' => text_of("$stand_ins/PVE/API2.pm") =~ s/'cluster'/'clusters'/r }, extra => 'pve' }, qr/there is no cluster on which it could hang/],
    ['containers are another class’s', { files => { 'pve/PVE/API2/Nodes.pm' => text_of("$stand_ins/PVE/API2/Nodes.pm") =~ s/'PVE::API2::LXC'/'PVE::API2::Tasks'/r }, extra => 'pve' }, qr{nodes/n/lxc/100 is served by PVE::API2::Tasks, not by PVE::API2::LXC}],
    ['a class is called otherwise', { files => { 'pve/PVE/API2/Nodes.pm' => text_of("$stand_ins/PVE/API2/Nodes.pm") =~ s/Nodes::Nodeinfo/Nodes::Info/gr }, extra => 'pve' }, qr/is served by PVE::API2::Nodes::Info, not by PVE::API2::Nodes::Nodeinfo/],
    ['somebody else has the path', { files => { 'pve/PVE/API2/Cluster.pm' => text_of("$stand_ins/PVE/API2/Cluster.pm") =~ s/\n1;/\n__PACKAGE__->register_method({ name => 'cni', path => 'cni', method => 'PUT', code => sub { } });\n1;/r }, extra => 'pve' }, qr{cluster/cni is somebody else's}],
);
for my $case (@broken) {
    my ($name, $wish, $words) = @$case;
    subtest "Proxmox is as if the shim were not there when $name" => sub {
        my ($without) = program(%$wish, without_shim => 1);
        my ($seen, $stderr) = program(%$wish);
        is_deeply($seen, $without, 'handlers and page') or diag $stderr;
        if ($words) { like($stderr, $words, 'the journal says why'); is(scalar(split /\n/, $stderr), 1, 'in one line') or diag $stderr }
        elsif ($wish->{touch}) { is($stderr, '', 'and nothing is said') }
    };
}

subtest 'a program that loads the API while it runs gets the branches, without a warning' => sub {
    my ($seen, $stderr) = program(load => 'use warnings; require PVE::API2;');
    is($stderr, '', 'quiet');
    ok($seen->{handlers}->{'nodes/n/cni'}, 'the branches are there');
};

subtest 'errors of Proxmox’s own module stay what they are' => sub {
    my $own = text_of("$stand_ins/PVE/API2.pm");
    my ($seen) = program(files => { 'pve/PVE/API2.pm' => "$own\ndie 'own error';\n" }, extra => 'pve');
    like($seen->{died}, qr/^own error at \S+pve\/PVE\/API2.pm line/m, 'it dies as it would');
    ($seen) = program(files => { 'pve/PVE/API2.pm' => "$own\nsub {" }, extra => 'pve');
    like($seen->{died}, qr/(?:syntax error|Missing right curly).* at \S+pve\/PVE\/API2.pm line/m, 'and so does a syntax error');
};

subtest 'Proxmox’s module is found as Perl would find it' => sub {
    my $own = text_of("$stand_ins/PVE/API2.pm");
    my ($seen) = program(files => { 'pve/PVE/API2.pm' => "$own\npackage PVE::API2; __PACKAGE__->register_method({ name => 'local', path => 'local', code => sub { } });\nsub PVE::Service::pveproxy::local { 1 }\n1;\n" }, extra => 'pve', load => 'use PVE::Service::pveproxy; BEGIN { (PVE::API2->find_handler("GET", "local", {}))[1] or die "not the first" }');
    ok($seen->{handlers}->{version}, 'the first in @INC after the shim') or diag explain $seen;
};

subtest 'a shim without Proxmox dies as Perl would' => sub {
    my ($folder) = folder() . '/alone';
    write_file("$folder/PVE/API2.pm", text_of(repository() . '/pve-ui/perl/API2.pm'));
    my $pid = open(my $output, '-|') // die;
    if (!$pid) { open STDERR, '>&', \*STDOUT; exec '/usr/bin/perl', '-T', "-I$folder", '-e', 'use PVE::API2;' or die }
    my $text = do { local $/; <$output> };
    close $output;
    like($text, qr/^Can't locate PVE\/API2.pm in \@INC/, 'with the same words');
};

done_testing();
