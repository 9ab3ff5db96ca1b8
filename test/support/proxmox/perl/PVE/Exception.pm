# Stand-in for PVE::Exception (libpve-common-perl): an error with HTTP status, message and errors by parameter.
package PVE::Exception;

use strict;
use warnings;
use base 'Exporter';
use overload '""' => sub { $_[0]->stringify }, fallback => 1;

our @EXPORT_OK = qw(raise raise_param_exc raise_perm_exc);

sub new {
    my ($class, $msg, %facts) = @_;
    return bless { %facts, msg => $msg }, $class;
}

sub raise {
    my $error = PVE::Exception->new(@_);
    (undef, $error->{filename}, $error->{line}) = caller;
    die $error;
}

sub raise_param_exc {
    my ($errors) = @_;
    die PVE::Exception->new("Parameter verification failed.\n", code => 400, errors => $errors);
}

sub raise_perm_exc {
    my ($what) = @_;
    die PVE::Exception->new('Permission check failed' . ($what ? " ($what)" : '') . "\n", code => 403);
}

sub stringify {
    my ($self) = @_;
    my $text = $self->{code} ? "$self->{code} $self->{msg}" : $self->{msg};
    $text .= " at $self->{filename} line $self->{line}\n" if $text !~ /\n$/ && $self->{filename};
    $text .= "$_: $self->{errors}->{$_}\n" for sort keys %{ $self->{errors} // {} };
    return $text;
}

1;
