# Stand-in for PVE::JSONSchema (libpve-common-perl): its dialect as far as methods of the bridge use it, and two standard options.
package PVE::JSONSchema;

use strict;
use warnings;
use base 'Exporter';
use JSON ();
use PVE::Exception;

our @EXPORT_OK = qw(get_standard_option register_standard_option);

my %options = (
    'pve-node' => { description => 'The cluster node name.', type => 'string', pattern => '[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?' },
    'pve-vmid' => {
        description => 'The (unique) ID of the VM.',
        type => 'integer',
        pattern => '[1-9][0-9]{2,8}',
        minimum => 100,
        maximum => 999999999,
    },
);

sub register_standard_option {
    my ($name, $schema) = @_;
    die "standard option '$name' already registered\n" if $options{$name};
    $options{$name} = $schema;
}

sub get_standard_option {
    my ($name, $base) = @_;
    die "no such standard option '$name'\n" if !$options{$name};
    return { %{ $options{$name} }, %{ $base // {} } };
}

sub validate {
    my ($value, $schema) = @_;
    my $errors = {};
    check_object($value, $schema, $errors);
    PVE::Exception::raise("Parameter verification failed.\n", code => 400, errors => $errors) if %$errors;
}

sub check_object {
    my ($value, $schema, $errors) = @_;
    my $properties = $schema->{properties};
    for my $key (sort keys %$properties) {
        if (!defined $value->{$key}) {
            $errors->{$key} = 'property is missing and it is not optional' if !$properties->{$key}->{optional};
            next;
        }
        my $problem = problem_of($value->{$key}, $properties->{$key});
        $errors->{$key} = $problem if $problem;
    }
    return if $schema->{additionalProperties} // 1;
    for my $key (keys %$value) {
        $errors->{$key} = 'property is not defined in schema and the schema does not allow additional properties' if !$properties->{$key};
    }
}

my %types = (
    string => sub { !ref $_[0] },
    boolean => sub { JSON::is_bool($_[0]) || (!ref $_[0] && $_[0] =~ /^[01]\z/) },
    integer => sub { !ref $_[0] && $_[0] =~ /^[+-]?\d+$/ },
    number => sub { !ref $_[0] && $_[0] =~ /^[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?$/ },
    array => sub { ref $_[0] eq 'ARRAY' },
    object => sub { ref $_[0] eq 'HASH' },
);

sub problem_of {
    my ($value, $schema) = @_;
    my $type = $schema->{type} // 'string';
    return "type check ('$type') failed" if !$types{$type}->($value);
    return undef if ref $value;
    # like the real one: `$` lets a newline at the end pass
    return 'value does not match the regex pattern' if defined $schema->{pattern} && $value !~ m/^$schema->{pattern}$/;
    return "value may only be $schema->{maxLength} characters long" if defined $schema->{maxLength} && length $value > $schema->{maxLength};
    return "value must be at least $schema->{minLength} characters long" if defined $schema->{minLength} && length $value < $schema->{minLength};
    return "value must have a maximum value of $schema->{maximum}" if defined $schema->{maximum} && $value > $schema->{maximum};
    return "value must have a minimum value of $schema->{minimum}" if defined $schema->{minimum} && $value < $schema->{minimum};
    return "value '$value' does not have a value in the enumeration '" . join(', ', @{ $schema->{enum} }) . "'"
        if $schema->{enum} && !grep { $_ eq $value } @{ $schema->{enum} };
    return undef;
}

1;
