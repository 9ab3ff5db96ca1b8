# Puts the panel's script into the page of the web interface, by wrapping the function that makes it: once, after Proxmox's own script.
package PVE::CNI::Panel;

use strict;
use warnings;
use PVE::CNI::Settings;

# the tag of pvemanagerlib.js; the pages for phones and consoles have none
my $anchor = qr{<script\b[^>]*\bsrc=(["'])/pve2/js/pvemanagerlib\.js(?:\?[^"'<>]*)?\g{-1}[^>]*>\s*</script>};

my $version;
my $wrapper = 0;

sub remember_version { ($version) = $_[0] =~ /^([A-Za-z0-9.+~-]{1,64})\z/ ? $1 : '0'; return }

sub wrap {
    my $original = PVE::Service::pveproxy->can('get_index');
    return if !$original || $original == $wrapper || !defined $version;
    no strict 'refs';
    no warnings 'redefine';
    $wrapper = sub {
        my $page = $original->(@_);
        local $@;
        eval { add_to($page) };
        return $page;
    };
    *{'PVE::Service::pveproxy::get_index'} = $wrapper;
    return;
}

# An answer that is not as we know it stays as it is.
sub add_to {
    my ($page) = @_;
    return if !ref $page || !eval { $page->can('content') } || PVE::CNI::Settings::switched_off();
    my $modified = (stat $PVE::CNI::Settings::panel_file)[9] or return;
    my $html = $page->content;
    return if index($html, $PVE::CNI::Settings::panel_url) >= 0;
    return if (() = $html =~ /$anchor/g) != 1;
    my $tag = qq{<script type="text/javascript" src="$PVE::CNI::Settings::panel_url?ver=$version-$modified"></script>};
    $html =~ s/($anchor)/$1\n    $tag/;
    $page->content($html);
    return;
}

1;
