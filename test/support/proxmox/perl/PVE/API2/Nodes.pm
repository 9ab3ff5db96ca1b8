# Stand-in for PVE::API2::Nodes and PVE::API2::Nodes::Nodeinfo (pve-manager): the branch of one node.
package PVE::API2::Nodes::Nodeinfo;

use strict;
use warnings;
use base 'PVE::RESTHandler';
use PVE::API2::LXC;
use PVE::API2::Tasks;
use PVE::JSONSchema qw(get_standard_option);

__PACKAGE__->register_method({ subclass => 'PVE::API2::LXC', path => 'lxc' });
__PACKAGE__->register_method({ subclass => 'PVE::API2::Tasks', path => 'tasks' });
__PACKAGE__->register_method({
    name => 'version',
    path => 'version',
    permissions => { user => 'all' },
    parameters => { additionalProperties => 0, properties => { node => get_standard_option('pve-node') } },
    code => sub { return { version => '9.0.0' } },
});

package PVE::API2::Nodes;

use strict;
use warnings;
use base 'PVE::RESTHandler';

__PACKAGE__->register_method({ subclass => 'PVE::API2::Nodes::Nodeinfo', path => '{node}' });

1;
