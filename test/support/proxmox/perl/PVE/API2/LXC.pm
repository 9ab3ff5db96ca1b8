# Stand-in for PVE::API2::LXC (pve-container): one neighbour of the bridge's branch.
package PVE::API2::LXC;

use strict;
use warnings;
use base 'PVE::RESTHandler';
use PVE::JSONSchema qw(get_standard_option);

__PACKAGE__->register_method({
    name => 'vmdiridx',
    path => '{vmid}',
    permissions => { user => 'all' },
    parameters => {
        additionalProperties => 0,
        properties => { node => get_standard_option('pve-node'), vmid => get_standard_option('pve-vmid') },
    },
    code => sub { return [map { { subdir => $_ } } qw(config status)] },
});

1;
