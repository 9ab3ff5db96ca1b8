# Stand-in for PVE::API2 (pve-manager): the root of the API, with the branches that the bridge hangs its own on.
package PVE::API2;

use strict;
use warnings;
use base 'PVE::RESTHandler';
use PVE::API2::Cluster;
use PVE::API2::Nodes;

__PACKAGE__->register_method({ subclass => 'PVE::API2::Cluster', path => 'cluster' });
__PACKAGE__->register_method({ subclass => 'PVE::API2::Nodes', path => 'nodes' });
__PACKAGE__->register_method({
    name => 'version',
    path => 'version',
    permissions => { user => 'all' },
    parameters => { additionalProperties => 0, properties => {} },
    code => sub { return { version => '9.0.0', release => '9.0', repoid => '0' x 16 } },
});

1;
