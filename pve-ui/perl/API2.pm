# pve-cni API shim 1. Installed as /etc/perl/PVE/API2.pm, where Perl looks first: it loads Proxmox's own PVE::API2 as Perl would have without
# it, then lets pve-cni hang its branches on it. Whatever goes wrong here leaves Proxmox as it is.
# Switch it off: touch /etc/pve-cni/disable-api && systemctl reload pvedaemon pveproxy. Remove it: apt remove pve-cni, or delete this file.
package PVE::CNI::Shim;

use strict;
use warnings;
no warnings 'void'; # an INIT that comes too late (a `require` while the program runs) is only not run

# not `our $VERSION`, no imports: nothing that could fail may stand before this line
require(real_module());

sub real_module {
    my @self = stat __FILE__;
    for my $folder (@INC) {
        next if ref $folder;
        my @other = stat "$folder/PVE/API2.pm" or next;
        next if @self && $self[0] == $other[0] && $self[1] == $other[1];
        return "$folder/PVE/API2.pm";
    }
    die "Can't locate PVE/API2.pm in \@INC (\@INC contains: @INC)\n";
}

# Runs one part of ours; its errors become a line in the journal and a note for `pve-cni doctor`.
sub guarded {
    my ($what, $part) = @_;
    local ($@, $!, $?, $_);
    local $SIG{__DIE__} = 'DEFAULT';
    return if eval { $part->(); 1 };
    my $error = join ' ', split ' ', defined $@ ? "$@" : 'unknown error';
    eval { warn "pve-cni: $what: $error\n" };
    eval { require PVE::CNI::Note; PVE::CNI::Note::failed("$what: $error") };
    return;
}

# What cannot be looked at counts as set, aloud.
sub switched_off {
    return 1 if -e '/etc/pve-cni/disable-api';
    die "cannot see whether /etc/pve-cni/disable-api is there: $!\n" if !($!{ENOENT} || $!{ENOTDIR});
    return 0;
}

guarded(
    'the API is not extended',
    sub {
        return if switched_off();
        require PVE::CNI::Register;
        PVE::CNI::Register::register();
    },
);

# after all of the program is compiled, so that the page's function is there to be wrapped
INIT {
    guarded('the panel is not added', sub { PVE::CNI::Panel::wrap() if defined &PVE::CNI::Panel::wrap });
}

1;
