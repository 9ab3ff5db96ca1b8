# Hangs the branches of pve-cni on Proxmox's API. Our own classes are made first, where nobody sees them; Proxmox's are touched last, and only
# when each place is what we take it for: register_method can leave a class broken when it dies half-way.
package PVE::CNI::Register;

use strict;
use warnings;
use JSON ();
use PVE::CNI::Method;
use PVE::CNI::Note;
use PVE::CNI::Panel;
use PVE::CNI::Settings;

# Where a branch hangs: the class that must serve the path above it, and what that path must have given.
my %places = (
    node => { class => 'PVE::API2::Nodes::Nodeinfo', path => 'cni', above => 'nodes/n', given => { node => 'n' } },
    container => { class => 'PVE::API2::LXC', path => '{vmid}/cni', above => 'nodes/n/lxc/100', given => { node => 'n', vmid => '100' } },
    cluster => { class => 'PVE::API2::Cluster', path => 'cni', above => 'cluster', given => {} },
);

sub register {
    my $document = document();
    my @branches = sort keys %{ $document->{branches} };
    make_class($_, $document->{branches}->{$_}) for @branches;
    refuse_strange_places($_) for @branches;
    for my $name (@branches) {
        my ($class, $path) = @{ $places{$name} }{qw(class path)};
        $class->register_method({ subclass => class_of($name), path => $path });
    }
    PVE::CNI::Panel::remember_version($document->{version});
    PVE::CNI::Note::loaded($document->{version});
}

sub document {
    my $file = $PVE::CNI::Settings::routes_file;
    die "$file is not there\n" if !-f $file;
    open my $handle, '<', $file or die "$file: $!\n";
    # the package's own file; what came of a file taints, and a task of a tainted type could not open its log
    my ($text) = do { local $/; <$handle> } =~ /\A(.*)\z/s;
    my $document = JSON::decode_json($text);
    die "$file is of another format\n" if ref $document ne 'HASH' || ($document->{format} // '') ne '1';
    for my $name (keys %{ $document->{branches} }) { die "$file names an unknown branch $name\n" if !$places{$name} }
    return $document;
}

sub class_of { return 'PVE::CNI::API::' . ucfirst $_[0] }

sub make_class {
    my ($name, $branch) = @_;
    my $class = class_of($name);
    {
        no strict 'refs';
        @{"${class}::ISA"} = ('PVE::RESTHandler');
    }
    my %subdirs = map { (split m{/}, $_->{path})[0] => 1 } @{ $branch->{methods} };
    $class->register_method(PVE::CNI::Method::index_info($branch, [sort keys %subdirs]));
    $class->register_method(PVE::CNI::Method::info($_)) for @{ $branch->{methods} };
}

sub refuse_strange_places {
    my ($name) = @_;
    my ($expected, $above, $parameters) = @{ $places{$name} }{qw(class above given)};
    my %given;
    my ($class) = served_by($above, \%given);
    die "there is no $above on which it could hang\n" if !defined $class;
    die "$above is served by $class, not by $expected\n" if $class ne $expected;
    for my $key (keys %$parameters) { die "$above has no parameter $key\n" if ($given{$key} // '') ne $parameters->{$key} }
    my ($taken) = served_by("$above/cni", {});
    die "$above/cni is somebody else's\n" if defined $taken;
}

sub served_by {
    my ($path, $given) = @_;
    return PVE::API2->map_path_to_methods([split m{/}, $path], $given);
}

1;
