# The script in the page: once, after Proxmox's own, and not at all when anything is not as we know it.
use strict;
use warnings;
use BridgeTest;
use Test::More;

load_api();
no warnings 'once';
require PVE::CNI::Panel;
require HTTP::Response;

my $panel = folder() . '/pve-cni.js';
sub put_panel { open my $file, '>', $panel or die; print $file '// panel'; close $file }
put_panel();
$PVE::CNI::Settings::panel_file = $panel;
my $ours = qr{<script type="text/javascript" src="/pve2/js/pve-cni\.js\?ver=[A-Za-z0-9.+~-]+"></script>};
my $own = '<script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=9.0.3"></script>';

# get_index of a pveproxy whose page is the given one, after the wrap
sub page_with {
    my ($html) = @_;
    my $page = HTTP::Response->new(200, 'OK', ['Content-Type' => 'text/html'], $html);
    PVE::CNI::Panel::add_to($page);
    return $page->content;
}

is(page_with("<head>\n$own\n<script src='x'></script>"), page_with("<head>\n$own\n<script src='x'></script>"), 'the same page twice is the same');
like(page_with("<head>\n$own\n<script src='x'></script>"), qr{\A<head>\n\Q$own\E\n    $ours\n<script src='x'></script>\z}, 'it stands right after Proxmox’s own script');
like(page_with("<script src='/pve2/js/pvemanagerlib.js'></script>"), qr/$ours\z/, 'other quotes and no version are the same tag');
is(page_with(page_with($own)), page_with($own), 'a page that has it gets no second one');
is(page_with("$own$own"), "$own$own", 'a page with two of Proxmox’s tags is not ours to understand');
is(page_with('<script src="/pve2/js/manager.js"></script>'), '<script src="/pve2/js/manager.js"></script>', 'a page without the tag (phones, consoles, another version) stays as it is');
is(page_with("<script src=\"/pve2/js/pvemanagerlib.js.map\"></script>"), "<script src=\"/pve2/js/pvemanagerlib.js.map\"></script>", 'a tag of a similar name is none');
is(page_with(''), '', 'an empty page stays empty');
my $bytes = "caf\xc3\xa9 $own";
like(page_with($bytes), qr/\Acaf\xc3\xa9 \Q$own\E\n    $ours\z/, 'bytes stay bytes');

unlink $panel;
is(page_with($own), $own, 'none when the panel’s file is not there');
put_panel();
my ($first) = page_with($own) =~ /pve-cni\.js\?ver=([^"]+)/;
utime 1_000_000_000, 1_000_000_000, $panel;
my ($second) = page_with($own) =~ /pve-cni\.js\?ver=([^"]+)/;
isnt($first, $second, 'a new file has another version, so that no cache keeps the old one');
open my $switch, '>', $PVE::CNI::Settings::kill_switch or die;
close $switch;
is(page_with($own), $own, 'none when the kill switch is set, without a restart');
is((error_of('root@pam', 'GET', 'nodes/pve1/cni') // { code => 0 })->{code}, 503, 'and the API answers 503 then');
like(error_of('root@pam', 'GET', 'nodes/pve1/lxc/101/cni/status')->{msg}, qr/switched off by \S+disable-api/, 'naming the switch');
unlink $PVE::CNI::Settings::kill_switch;
like(page_with($own), qr/$ours/, 'all is back without it');

subtest 'what get_index gives is passed on, whatever it is' => sub {
    for my $given (undef, 'text', 0, [1], bless({}, 'Nothing')) {
        no warnings 'redefine';
        *PVE::Service::pveproxy::get_index = sub { return $given };
        PVE::CNI::Panel::wrap();
        is_deeply(PVE::Service::pveproxy::get_index('pve1', {}, undef, {}), $given, defined $given ? ref $given || "'$given'" : 'undef');
    }
    no warnings 'redefine';
    *PVE::Service::pveproxy::get_index = sub { die "own error\n" };
    PVE::CNI::Panel::wrap();
    is(eval { PVE::Service::pveproxy::get_index('pve1', {}, undef, {}); 1 } ? '' : $@, "own error\n", 'errors of Proxmox’s own too');
    *PVE::Service::pveproxy::get_index = sub { return join ',', map { defined ? $_ : 'undef' } @_ };
    PVE::CNI::Panel::wrap();
    is(PVE::Service::pveproxy::get_index('a', undef, 'c'), 'a,undef,c', 'and its arguments');
};

subtest 'wrapped twice is wrapped once' => sub {
    no warnings 'redefine';
    *PVE::Service::pveproxy::get_index = sub { return 'page' };
    PVE::CNI::Panel::wrap();
    my $wrapper = PVE::Service::pveproxy->can('get_index');
    PVE::CNI::Panel::wrap();
    is(PVE::Service::pveproxy->can('get_index'), $wrapper, 'the same function');
};

subtest 'a pveproxy without get_index is left alone' => sub {
    undef &PVE::Service::pveproxy::get_index;
    delete $PVE::Service::pveproxy::{get_index};
    is(eval { PVE::CNI::Panel::wrap(); 1 }, 1, 'no error');
    ok(!PVE::Service::pveproxy->can('get_index'), 'and no function that was not there');
};

done_testing();
