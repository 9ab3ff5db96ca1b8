# What Proxmox's own check before a call cannot say: permissions for single parameters, and for the objects of a list.
package PVE::CNI::Permission;

use strict;
use warnings;
use B ();
use PVE::RPCEnvironment;
use PVE::CNI::Request;

# A rule asks for a permission when its parameter is given: `except` lists the values that need none, `only` is the pattern of those that do.
sub check_parameters {
    my ($rules, $user, $param) = @_;
    my $environment = PVE::RPCEnvironment::get();
    for my $rule (@{ $rules // [] }) {
        my $value = $param->{ $rule->{param} };
        next if !defined $value;
        $value = PVE::CNI::Request::truth($value) ? '1' : '0' if $rule->{boolean};
        next if grep { $_ eq $value } @{ $rule->{except} // [] };
        next if defined $rule->{only} && $value !~ m/^(?:$rule->{only})\z/;
        $environment->check_api2_permissions({ check => $rule->{check} }, $user, $param);
    }
}

# Those objects of a list that the user may see, and of each only the fields that he may.
sub visible {
    my ($filter, $user, $list) = @_;
    return [] if ref $list ne 'ARRAY';
    return [
        map { pick($_, $filter->{fields}) }
        grep { ref eq 'HASH' && holds($filter->{check}, $user, $_) } @$list
    ];
}

# Ends of flows that are other containers lose number and name unless the user may look at these.
sub masked {
    my ($mask, $user, $param, $data) = @_;
    return $data if ref $data ne 'HASH';
    my %may;
    for my $object (grep { ref eq 'HASH' } map { my $one = $_; ref $one eq 'HASH' ? @$one{ @{ $mask->{ends} } } : () } @{ $data->{ $mask->{list} } // [] }) {
        my $vmid = $object->{vmid};
        next if !defined $vmid || $vmid eq $param->{vmid};
        next if $may{$vmid} //= holds($mask->{check}, $user, $object) ? 1 : 0;
        @$object{qw(vmid name)} = (undef, '');
    }
    return $data;
}

# The same for texts, in which the service names containers by their numbers alone.
sub hushed {
    my ($check, $user, $param, $data) = @_;
    my %may = ($param->{vmid} => 1);
    my $name = sub {
        my ($vmid) = @_;
        return ($may{$vmid} //= holds($check, $user, { vmid => $vmid }) ? 1 : 0) ? "container $vmid" : 'another container';
    };
    # references to the places of what is yet to be looked at: no answer is too deep for that
    my @places = \$data;
    while (my $place = pop @places) {
        if (ref $$place eq 'HASH') { push @places, map { \$_ } values %$$place }
        elsif (ref $$place eq 'ARRAY') { push @places, map { \$_ } @$$place }
        # a number that was once looked at as text would be sent as text
        elsif (!ref $$place && B::svref_2object($place)->FLAGS & B::SVf_POK()) { $$place =~ s/\bcontainer ([1-9][0-9]{2,8})\b/$name->($1)/ge }
    }
    return $data;
}

sub holds {
    my ($check, $user, $object) = @_;
    return eval { PVE::RPCEnvironment::get()->check_api2_permissions({ check => $check }, $user, $object); 1 } ? 1 : 0;
}

sub pick {
    my ($object, $fields) = @_;
    return { map { $_ => $object->{$_} } grep { exists $object->{$_} } @$fields };
}

1;
