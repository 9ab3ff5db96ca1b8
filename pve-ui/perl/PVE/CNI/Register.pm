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

# Where a branch hangs, a neighbour that is there in every version, and what its path must have given.
my %places = (
    node => { class => 'PVE::API2::Nodes::Nodeinfo', path => 'cni', at => 'nodes/n/cni', neighbour => 'nodes/n/version', given => { node => 'n' } },
    container => {
        class => 'PVE::API2::LXC',
        path => '{vmid}/cni',
        at => 'nodes/n/lxc/100/cni',
        neighbour => 'nodes/n/lxc/100',
        given => { node => 'n', vmid => '100' },
    },
    cluster => { class => 'PVE::API2::Cluster', path => 'cni', at => 'cluster/cni', neighbour => 'cluster/resources', given => {} },
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
    my $place = $places{$name};
    my %given;
    my ($class) = PVE::API2->find_handler('GET', $place->{neighbour}, \%given);
    die "there is no $place->{neighbour} beside which it could hang\n" if !$class;
    die "$place->{neighbour} is not served by $place->{class}\n" if $class ne $place->{class};
    for my $key (keys %{ $place->{given} }) {
        die "$place->{neighbour} has no parameter $key\n" if ($given{$key} // '') ne $place->{given}->{$key};
    }
    my ($taken) = PVE::API2->map_path_to_methods([split m{/}, $place->{at}], {});
    die "$place->{at} is somebody else's\n" if $taken;
}

1;
