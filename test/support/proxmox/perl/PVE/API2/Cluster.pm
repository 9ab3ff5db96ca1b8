# Stand-in for PVE::API2::Cluster (pve-manager): one neighbour of the bridge's branch.
package PVE::API2::Cluster;

use strict;
use warnings;
use base 'PVE::RESTHandler';

__PACKAGE__->register_method({
    name => 'resources',
    path => 'resources',
    permissions => { user => 'all' },
    parameters => { additionalProperties => 0, properties => { type => { type => 'string', optional => 1 } } },
    code => sub { return [] },
});

1;
