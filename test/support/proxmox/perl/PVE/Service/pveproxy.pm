# Stand-in for PVE::Service::pveproxy (pve-manager): loads the API and gives the page of the web interface by get_index.
package PVE::Service::pveproxy;

use strict;
use warnings;
use HTTP::Response;
use PVE::API2;

our $template; # the file of the page; without it there is a page with nothing but scripts
my $plain = <<'END';
<!DOCTYPE html>
<html>
  <head>
    <title>[% nodename %] - Proxmox Virtual Environment</title>
    <script type="text/javascript" src="/proxmoxlib.js?ver=1"></script>
    <script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=[% version %]"></script>
    <script type="text/javascript" src="/pve2/ext6/locale/locale-[% lang %].js?ver=7.0.0"></script>
  </head>
  <body></body>
</html>
END

sub get_index {
    my ($nodename, $server, $request, $args) = @_;
    my $page = $plain;
    if (defined $template) {
        open my $file, '<', $template or die "$template: $!\n";
        $page = do { local $/; <$file> };
    }
    my %vars = (nodename => $nodename, version => '9.0.0', lang => 'en', %{ $server->{vars} // {} });
    $page =~ s/\[%-?\s*(\w+)\s*-?%\]/$vars{$1} \/\/ ''/ge;
    return HTTP::Response->new(200, 'OK', ['Content-Type' => 'text/html; charset=utf-8'], $page);
}

1;
