# A row of routes.json and the parameters of a call → the request to the service.
package PVE::CNI::Request;

use strict;
use warnings;
use JSON ();
use PVE::Exception qw(raise_param_exc);

# Proxmox's parameters are text from forms and command lines; the service wants JSON's types.
my %convert = (
    string => sub { "$_[0]" },
    integer => sub { 0 + $_[0] },
    number => sub { 0 + $_[0] },
    boolean => sub { truth($_[0]) ? JSON::true : JSON::false },
    # `auto`, or a list with commas; which words stand for themselves says the schema
    list => sub {
        my ($value, $send) = @_;
        return $value if grep { $_ eq $value } @{ $send->{words} // [] };
        return [grep { $_ ne '' } split /[,;\s]+/, $value];
    },
    # structures come as JSON text
    json => sub {
        my ($value, $send, $name) = @_;
        return $value if ref $value;
        my $data = eval { JSON->new->allow_nonref->decode($value) };
        raise_param_exc({ $name => 'must be JSON' }) if $@;
        return $data;
    },
);

sub truth { return defined $_[0] && "$_[0]" ne '0' && "$_[0]" ne '' && "$_[0]" ne 'false' }

# Proxmox's patterns end in `$`, which lets a newline pass; and nothing but whole texts has a use for control characters.
sub refuse_control_characters {
    my ($param, $send) = @_;
    my %errors;
    for my $name (keys %$param) {
        next if !defined $param->{$name} || ref $param->{$name} || ($send->{$name} // {})->{text};
        $errors{$name} = 'must not hold control characters' if $param->{$name} =~ /[\x00-\x1f\x7f]/;
    }
    raise_param_exc(\%errors) if %errors;
}

# Of some parameters exactly one has a meaning.
sub refuse_other_than_one {
    my ($param, $names) = @_;
    return if (grep { defined $param->{$_} } @$names) == 1;
    my $rule = 'give one of: ' . join ', ', @$names;
    raise_param_exc({ map { $_ => $rule } @$names });
}

# Returns { method, path, body } and, for errors, the parameter of each field.
sub build {
    my ($row, $param, $user) = @_;
    my $send = $row->{send};
    refuse_control_characters($param, $send);
    refuse_other_than_one($param, $row->{oneOf}) if $row->{oneOf};
    my $service = $row->{service};
    # a value that names a parameter: the container whose branch was asked stands at the other end
    my %query = map { $_ => $service->{query}->{$_} =~ s/^\{(\w+)\}\z/$param->{$1}/r } keys %{ $service->{query} // {} };
    my $body = $service->{body} ? copy($service->{body}) : undef;
    my %fields;
    for my $name (sort keys %$send) {
        my $target = $send->{$name};
        $fields{ $target->{field} } = $name if defined $target->{field};
        next if !defined $param->{$name} || !defined $target->{in};
        my $value = $convert{ $target->{as} }->($param->{$name}, $target, $name);
        if ($target->{in} eq 'query') { $query{ $target->{field} } = JSON::is_bool($value) ? ($value ? 'true' : 'false') : $value }
        elsif ($target->{in} eq 'body') { place($body //= {}, $target->{field}, $value) }
    }
    place($body //= {}, $service->{rootMay}, $user eq 'root@pam' ? JSON::true : JSON::false) if $service->{rootMay};
    my $path = $service->{path};
    for my $name (keys %{ $service->{instead} // {} }) { $path = $service->{instead}->{$name} if truth($param->{$name}) }
    $path =~ s/\{(\w+)\}/encoded($param->{$1})/ge;
    my $text = join '&', map { encoded($_) . '=' . encoded($query{$_}) } sort keys %query;
    return ({ method => $service->{method}, path => $text eq '' ? $path : "$path?$text", body => $body }, \%fields);
}

sub copy { return JSON::decode_json(JSON::encode_json($_[0])) }

sub place {
    my ($body, $field, $value) = @_;
    my @parts = split /\./, $field;
    my $last = pop @parts;
    $body = $body->{$_} //= {} for @parts;
    $body->{$last} = $value;
}

sub encoded {
    my ($text) = @_;
    $text = '' if !defined $text;
    utf8::encode($text);
    $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    # a path must not climb: Node's URL would take these away
    return $text =~ /^\.{1,2}\z/ ? $text =~ s/\./%2E/gr : $text;
}

1;
