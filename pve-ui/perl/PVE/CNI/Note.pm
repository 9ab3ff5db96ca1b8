# What each daemon notes down when it has loaded the bridge, for `pve-cni doctor`: /run/pve-cni-bridge/pvedaemon and the like. pveproxy loads
# it as root when it starts and as www-data when it is reloaded, so its note is www-data's. Never more than a note: errors are swallowed.
package PVE::CNI::Note;

use strict;
use warnings;
use Fcntl ();
use JSON ();
use PVE::CNI::Settings;

sub loaded { my ($version) = @_; return leave({ version => $version }) }
sub failed { my ($error) = @_; return leave({ error => $error }) }

sub leave {
    my ($facts) = @_;
    local ($@, $!);
    eval { put_down($facts) };
    return;
}

sub put_down {
    my ($facts) = @_;
    my ($daemon) = $0 =~ m{(?:^|/)(pvedaemon|pveproxy)\z} or return;
    return if ($ARGV[0] // '') ne 'start'; # `pvedaemon status` is no daemon
    my $folder = $PVE::CNI::Settings::notes;
    mkdir $folder, 0755 if $> == 0;
    my $file = "$folder/$daemon";
    my $text = JSON->new->utf8->canonical->encode({ %$facts, pid => $$, time => time });
    if ($> == 0) {
        # a new one each time: nothing of what www-data may have done to the old one stays
        unlink $file;
        sysopen my $handle, $file, Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_EXCL() | Fcntl::O_NOFOLLOW(), 0644 or return;
        chown((getpwnam 'www-data')[2, 3], $handle) if $daemon eq 'pveproxy';
        print $handle $text;
    } elsif (-f $file) {
        open my $handle, '+<', $file or return;
        truncate $handle, 0;
        print $handle $text;
    }
    return;
}

1;
