# Stand-in for PVE::RESTHandler (libpve-common-perl): registration of methods, resolution of paths, the call with its validation.
package PVE::RESTHandler;

use strict;
use warnings;
use PVE::Exception;
use PVE::JSONSchema;

my (%lookup, %by_name, %registry);

sub register_method {
    my ($class, $info) = @_;
    my $prefix = "register method ${class}/$info->{path} -";
    my $method = $info->{subclass} ? 'SUBCLASS' : ($info->{method} //= 'GET');
    my $place = $lookup{$class} //= {};
    my (@match_re, @match_name);
    for my $part (split m{/+}, $info->{path}) {
        if ($part =~ /^\{([\w-]+)(?::(.*))?\}$/) {
            my ($name, $regex) = ($1, $2 || '\S+');
            die "$prefix path match error - regex and fixed items\n" if $place->{folders};
            my $inner = $place->{regex} //= { match_name => $name, match_re => $regex };
            die "$prefix found changed regex match name\n" if $inner->{match_name} ne $name;
            die "$prefix found changed regex\n" if $inner->{match_re} ne $regex;
            push @match_re, $regex;
            push @match_name, $name;
            $place = $inner;
        } else {
            die "$prefix path match error - regex and fixed items\n" if $place->{regex};
            push @match_re, $part;
            push @match_name, undef;
            $place = $place->{folders}->{$part} //= {};
        }
    }
    die "$prefix duplicate method definition\n" if $place->{$method};
    if ($method eq 'SUBCLASS') {
        for my $other (qw(GET PUT POST DELETE)) {
            die "$prefix duplicate method definition SUBCLASS and $other\n" if $place->{$other};
        }
    }
    $place->{$method} = $info;
    @$info{qw(match_re match_name)} = (\@match_re, \@match_name);
    if ($info->{name}) {
        die "$prefix method name already defined\n" if $by_name{$class}->{ $info->{name} };
        $by_name{$class}->{ $info->{name} } = $info;
    }
    push @{ $registry{$class} }, $info;
}

sub method_attributes { return $registry{ $_[0] } }

sub map_path_to_methods {
    my ($class, $stack, $uri_param) = @_;
    my $place = $lookup{$class};
    while (defined(my $part = shift @$stack)) {
        return undef if !$place;
        if (my $inner = $place->{regex}) {
            return undef if $part !~ m/^($inner->{match_re})$/;
            $uri_param->{ $inner->{match_name} } = $1;
            $place = $inner;
        } else {
            $place = ($place->{folders} // {})->{$part};
        }
        return undef if !$place;
        if (my $info = $place->{SUBCLASS}) {
            $class = $info->{subclass};
            $place = $lookup{$class};
        }
    }
    return $place ? ($class, $place) : undef;
}

sub find_handler {
    my ($class, $method, $path, $uri_param) = @_;
    my ($handler, $place) = $class->map_path_to_methods([grep { length } split m{/+}, $path], $uri_param // {});
    return undef if !($handler && $place && $place->{$method});
    return ($handler, $place->{$method});
}

sub handle {
    my ($self, $info, $param) = @_;
    PVE::JSONSchema::validate($param, $info->{parameters}) if $info->{parameters};
    return $info->{code}->({ map { $_ => untainted($param->{$_}) } keys %$param });
}

sub untainted { return ref $_[0] || !defined $_[0] ? $_[0] : ($_[0] =~ /^(.*)$/s)[0] }

1;
