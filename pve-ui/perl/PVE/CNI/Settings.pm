# Where things are on a node. Variables, so that tests can lay them elsewhere; nothing reads the environment, which is not ours here.
package PVE::CNI::Settings;

use strict;
use warnings;

our $socket = '/run/pve-cni/pve-cni.sock';
our $kill_switch = '/etc/pve-cni/disable-api';
our $panel_file = '/usr/share/pve-manager/js/pve-cni.js';
our $panel_url = '/pve2/js/pve-cni.js';
our $notes = '/run/pve-cni-bridge';

(my $folder = __FILE__) =~ s{[^/]+\z}{};
our $routes_file = "${folder}routes.json";

our $connect_seconds = 2;
our $most_seconds = 25;    # an answer holds up one of pvedaemon's few workers; each row of the table has its own limit below this
our $probe_seconds = 0.5;  # the same while the service is known to hang
our $wary_seconds = 30;    # for how long it is known
our $task_seconds = 300;   # a task, which has a process of its own; the service ends its operations long before
our $again_seconds = 30;   # for how long a task waits for a service that is being restarted
our $answer_bytes = 16 * 1024 * 1024;

# What cannot be looked at counts as set.
sub switched_off { return -e $kill_switch || !($!{ENOENT} || $!{ENOTDIR}) }

1;
