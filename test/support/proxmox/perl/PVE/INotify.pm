# Stand-in for PVE::INotify (libpve-common-perl): the name of this node.
package PVE::INotify;

use strict;
use warnings;

our $name = 'pve1';

sub nodename { return $name }

1;
