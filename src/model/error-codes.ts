/** Every error the product can show: one row a code. docs/errors.md is generated from this table.
 *  `status` is the HTTP status, `exit` the exit code of the command; `retryable` says whether the same request may
 *  succeed later without anybody changing anything. */
export const errorCodes = {
  // ConfigurationError: what people wrote
  CONFIG_SYNTAX: row(
    'ConfigurationError',
    400,
    false,
    'The file is not valid YAML or JSON.',
    'Correct the file at the line that is named.',
  ),
  CONFIG_INVALID: row(
    'ConfigurationError',
    400,
    false,
    'A field is missing, unknown or has a value that is not allowed.',
    'Correct the field that is named; the message lists what is allowed.',
  ),
  CONFIG_TOO_LARGE: row(
    'ConfigurationError',
    413,
    false,
    'The file or request is larger or deeper than the limits.',
    'Make it smaller; the message names the limit.',
  ),
  CONFIG_DUPLICATE: row(
    'ConfigurationError',
    409,
    false,
    'Two files describe a network of the same name.',
    'Remove or rename one of the two files named.',
  ),
  CONFIG_UNAVAILABLE: row(
    'ConfigurationError',
    503,
    true,
    'The configuration root is not mounted, not readable or not quorate.',
    'Mount the root or restore quorum; until then the cached configuration serves.',
  ),
  UNSUPPORTED: row(
    'ConfigurationError',
    422,
    false,
    'The key or value is known but not built in this version.',
    'Remove it, or use a version that has it.',
  ),
  NETWORK_UNKNOWN: row(
    'ConfigurationError',
    404,
    false,
    'No network of that name is configured.',
    'See `pve-cni network list`, or write networks/NAME.yaml.',
  ),
  SERVICE_UNKNOWN: row(
    'ConfigurationError',
    404,
    false,
    'No service of that name is configured.',
    'See `pve-cni service list`, or write services/NAME.yaml.',
  ),
  CONTAINER_UNKNOWN: row(
    'ConfigurationError',
    404,
    false,
    'The container is not managed by pve-cni.',
    'Attach it first: `pve-cni container attach VMID IFNAME=NETWORK`.',
  ),
  POLICY_UNKNOWN: row(
    'ConfigurationError',
    404,
    false,
    'No policy of that name is configured.',
    'See `pve-cni policy list`, or apply one: `pve-cni policy apply FILE`.',
  ),
  INTERFACE_UNKNOWN: row(
    'ConfigurationError',
    404,
    false,
    'The container has no interface of that name.',
    'See `pve-cni container show VMID`.',
  ),
  INTERFACE_EXISTS: row(
    'ConfigurationError',
    409,
    false,
    'The container has an interface of that name already.',
    'Choose another name, or detach the present one first.',
  ),
  CONFLICT: row(
    'ConfigurationError',
    409,
    false,
    'The file was changed by somebody else since it was read.',
    'Read it again, and make the change in what it says now.',
  ),
  PLUGIN_NOT_ALLOWED: row(
    'ConfigurationError',
    403,
    false,
    'The text names CNI plugins, which are programs that run as root, and who asked may not do that.',
    'Ask root@pam to write it, or use a network of type bridge or cilium.',
  ),
  NETWORK_IN_USE: row('ConfigurationError', 409, false, 'The network still has users.', 'Detach the containers that are named first.'),
  REQUEST_INVALID: row(
    'ConfigurationError',
    400,
    false,
    'The request has a field that is missing, unknown or not allowed.',
    'See /openapi.json for the shape of the request.',
  ),
  NOT_FOUND: row('ConfigurationError', 404, false, 'Nothing is served at this path.', 'See /openapi.json for the paths.'),
  METHOD_NOT_ALLOWED: row(
    'ConfigurationError',
    405,
    false,
    'The path does not know this method.',
    'Use a method that the `Allow` header names; see /openapi.json.',
  ),
  MEDIA_TYPE_UNSUPPORTED: row(
    'ConfigurationError',
    415,
    false,
    'The body is not plain JSON in UTF-8.',
    'Send it uncompressed, with `Content-Type: application/json`.',
  ),
  // CNIError: what a plugin did
  CNI_PLUGIN_MISSING: row(
    'CNIError',
    500,
    false,
    'The plugin is in none of the plugin folders.',
    'Install it (Debian: containernetworking-plugins) or correct `type`.',
  ),
  CNI_PLUGIN_UNSAFE: row(
    'CNIError',
    500,
    false,
    'The plugin or a folder above it can be written by others than root.',
    'chown root and chmod go-w the path that is named.',
  ),
  CNI_PLUGIN_FAILED: row(
    'CNIError',
    502,
    true,
    'The plugin ran and answered with an error.',
    'The error of the plugin is quoted; see its documentation.',
  ),
  CNI_PLUGIN_CRASHED: row('CNIError', 502, true, 'The plugin ended without a valid error object.', 'See the stderr that is quoted.'),
  CNI_PLUGIN_TIMEOUT: row(
    'CNIError',
    504,
    true,
    'The plugin did not end in time and was killed with its process group.',
    'See what the plugin waits for (agent, daemon, lock).',
  ),
  CNI_RESULT_INVALID: row(
    'CNIError',
    502,
    false,
    'The plugin printed something that is not a valid CNI result.',
    'Update or replace the plugin.',
  ),
  CNI_VERSION_UNSUPPORTED: row(
    'CNIError',
    422,
    false,
    'The cniVersion is not one that both sides speak.',
    'Use a cniVersion from 0.3.1 to 1.1.0 that every plugin of the chain supports.',
  ),
  CNI_CONFIG_INVALID: row('CNIError', 400, false, 'The CNI configuration is not valid.', 'Correct the field that is named.'),
  CNI_CHECK_FAILED: row(
    'CNIError',
    409,
    true,
    'CHECK found that the interface is not as it was made.',
    'Run `pve-cni container check VMID --repair`, or restart the container.',
  ),
  CILIUM_UNAVAILABLE: row(
    'CNIError',
    503,
    true,
    'Cilium’s agent on this node does not answer.',
    'See `pve-cni cilium status`; start the agent: `systemctl start pve-cni-cilium`.',
  ),
  CILIUM_API_FAILED: row(
    'CNIError',
    502,
    true,
    'Cilium’s agent refused a request, or answered with something unknown.',
    'See the answer that is quoted, and `pve-cni cilium status`.',
  ),
  CILIUM_ENDPOINT_MISSING: row(
    'CNIError',
    502,
    true,
    'Cilium’s agent has no endpoint for the interface, or one with another identity than it should have.',
    'Make it anew: `pve-cni container check VMID --repair`.',
  ),
  CILIUM_VERSION_UNSUPPORTED: row(
    'CNIError',
    422,
    false,
    'Cilium’s agent is of a version that this version of pve-cni does not work with.',
    'Install the version that is named: `pve-cni cilium upgrade`.',
  ),
  CILIUM_PREFLIGHT_FAILED: row(
    'CNIError',
    409,
    false,
    'The node lacks something that Cilium’s agent needs, or has something that it would disturb.',
    'See `pve-cni cilium preflight`: each finding has its cure.',
  ),
  POLICY_NOT_IN_FORCE: row(
    'CNIError',
    503,
    true,
    'Cilium’s agent does not enforce exactly what the policy files say.',
    'See `pve-cni policy list` for what differs, and `pve-cni cilium status`.',
  ),
  CILIUM_ETCD_UNAVAILABLE: row(
    'CNIError',
    503,
    true,
    'None of the etcd servers that Cilium keeps its identities in answers.',
    'Start etcd, or correct `cilium.etcd` in pve-cnid.yaml; the message says what each server did.',
  ),
  CILIUM_ETCD_FAILED: row(
    'CNIError',
    502,
    false,
    'etcd answered with something unknown.',
    'Use etcd 3.4 or 3.5, and let its endpoints be those for clients.',
  ),
  CILIUM_INSTALL_FAILED: row(
    'CNIError',
    502,
    true,
    'Cilium’s agent could not be fetched, put in place or started; what ran before runs on.',
    'See the step that is named, then repeat the command.',
  ),
  CILIUM_BUSY: row(
    'CNIError',
    409,
    true,
    'Cilium’s agent is being installed, upgraded or removed by another request.',
    'Wait for the operation that is named: `pve-cni operation show ID`.',
  ),
  CILIUM_IN_USE: row(
    'CNIError',
    409,
    false,
    'Containers use Cilium.',
    'Stop the containers that are named, or repeat with `--force`: they lose their network.',
  ),
  CILIUM_KEY_INVALID: row(
    'CNIError',
    409,
    false,
    'The cluster’s IPsec key is missing, or is none.',
    'Correct or remove the file that is named; `pve-cni cilium config --write` makes a new one where there is none.',
  ),
  CILIUM_NOT_INSTALLED: row('CNIError', 409, false, 'Nothing was installed by pve-cni.', 'Install it: `pve-cni cilium install`.'),
  CNI_CANCELLED: row('CNIError', 499, true, 'The operation was given up before it ended, and undone.', 'Try again.'),
  // IPAMError: addresses
  IPAM_POOL_EXHAUSTED: row(
    'IPAMError',
    409,
    true,
    'Every address of the range is taken.',
    'Widen `range`, add a subnet or release addresses (`pve-cni address list`).',
  ),
  IPAM_ADDRESS_TAKEN: row(
    'IPAMError',
    409,
    false,
    'The address belongs to another container.',
    'Choose another address; the owner is named.',
  ),
  IPAM_ADDRESS_OUTSIDE: row(
    'IPAMError',
    400,
    false,
    'The address is not a usable one of the network’s subnets.',
    'Choose one inside a subnet that is not its network, broadcast or gateway address.',
  ),
  IPAM_READ_ONLY: row(
    'IPAMError',
    503,
    true,
    'New addresses cannot be reserved while the configuration root is read-only.',
    'Restore quorum or the mount; existing addresses keep working.',
  ),
  // InterfaceError: kernel objects
  NETNS_SHARED: row(
    'InterfaceError',
    409,
    false,
    'The container shares the network namespace of the host.',
    'Remove `lxc.net.0.type = none` or the shared namespace from its configuration.',
  ),
  NETNS_GONE: row(
    'InterfaceError',
    409,
    true,
    'The container’s network namespace is gone or belongs to another process.',
    'Start the container again.',
  ),
  NETNS_PIN_FAILED: row(
    'InterfaceError',
    500,
    true,
    'The network namespace could not be pinned.',
    'See whether /run/netns is writable and the service has no mount namespace of its own.',
  ),
  INTERFACE_WAITING: row(
    'InterfaceError',
    409,
    true,
    'The interface is not protected yet, and only ARP, neighbour discovery and DHCP pass.',
    'Give it an address, inside the container or by DHCP; or start Cilium’s agent.',
  ),
  INTERFACE_CONFLICT: row('InterfaceError', 409, false, 'A link of that name exists and is not ours.', 'Rename one of the two.'),
  TOOL_FAILED: row('InterfaceError', 500, true, 'A system tool failed.', 'See the command and its stderr, which are quoted.'),
  TOOL_MISSING: row('InterfaceError', 500, false, 'A system tool is not installed.', 'Install the package that is named.'),
  // StateError: our own store and service
  STATE_NEWER: row(
    'StateError',
    500,
    false,
    'The state file was written by a newer version.',
    'Install that version, or restore a backup of the state.',
  ),
  STATE_UNSAFE: row(
    'StateError',
    500,
    false,
    'The state folder or file can be written by others than root.',
    'chown root and chmod go-w the path that is named.',
  ),
  STATE_WRITE_FAILED: row(
    'StateError',
    507,
    true,
    'The state could not be made durable (disk full, read-only, too many files).',
    'Free space or remount; nothing was started.',
  ),
  STATE_CORRUPT: row(
    'StateError',
    500,
    false,
    'The state file is damaged.',
    'It is set aside and rebuilt from the kernel, the plugins’ cache and the configuration.',
  ),
  OPERATION_UNKNOWN: row('StateError', 404, false, 'No operation of that id is recorded.', 'See `pve-cni operation list`.'),
  OPERATION_TIMEOUT: row(
    'StateError',
    504,
    true,
    'The operation did not end within its deadline and was undone.',
    'See `pve-cni operation show ID --trace` for the slow step.',
  ),
  SERVICE_UNAVAILABLE: row(
    'StateError',
    503,
    true,
    'The service does not answer on its socket.',
    'systemctl status pve-cni.service; journalctl -u pve-cni.',
  ),
  SERVICE_RUNNING: row(
    'StateError',
    500,
    false,
    'Another service answers on the socket.',
    'Stop it first: systemctl stop pve-cni.service.',
  ),
  SERVICE_STOPPING: row('StateError', 503, true, 'The service is stopping.', 'Try again in a moment.'),
  INTERNAL: row('StateError', 500, false, 'A defect of pve-cni.', 'Please report it with the operation’s id and the log.'),
  // ProxmoxError: Proxmox and LXC
  CONTAINER_NOT_RUNNING: row('ProxmoxError', 409, true, 'The container is not running.', 'Start it: `pct start VMID`.'),
  CONTAINER_GONE: row('ProxmoxError', 404, false, 'The container does not exist on this node.', 'See `pct list`.'),
  PROXMOX_UNAVAILABLE: row(
    'ProxmoxError',
    503,
    true,
    'Proxmox’s cluster filesystem is not mounted.',
    'Start it: `systemctl start pve-cluster`.',
  ),
  CLUSTER_LOCKED: row(
    'ProxmoxError',
    409,
    true,
    'Another node of the cluster is changing the same things.',
    'Try again in a moment; a lock of a node that died goes after two minutes.',
  ),
} as const satisfies Record<string, ErrorRow>;

export const errorClasses = ['ConfigurationError', 'CNIError', 'IPAMError', 'InterfaceError', 'StateError', 'ProxmoxError'] as const;
export type ErrorClass = (typeof errorClasses)[number];
export type ErrorCode = keyof typeof errorCodes;

/** Exit codes of the command, one a class; 2 is a wrong command line, 1 anything else. */
export const exitCodes: Record<ErrorClass, number> = {
  ConfigurationError: 3,
  CNIError: 4,
  IPAMError: 5,
  InterfaceError: 6,
  StateError: 7,
  ProxmoxError: 8,
};

export interface ErrorRow {
  readonly class: ErrorClass;
  readonly status: number;
  readonly retryable: boolean;
  readonly cause: string;
  readonly cure: string;
}

function row(errorClass: ErrorClass, status: number, retryable: boolean, cause: string, cure: string): ErrorRow {
  return { class: errorClass, status, retryable, cause, cure };
}
