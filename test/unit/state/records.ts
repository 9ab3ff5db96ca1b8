import type { Attachment } from '../../../src/model/attachment.ts';
import type { Operation } from '../../../src/model/operation.ts';

/** Records with everything filled in; also for processes outside mocha. */

export function attachment(vmid: number, changes: Partial<Attachment> = {}): Attachment {
  const ifname = changes.ifname ?? 'eth0';
  return {
    vmid,
    ifname,
    network: 'web',
    phase: 'adding',
    containerId: '0123456789abcdef',
    bootId: 'b0',
    request: {
      conflist: {
        cniVersion: '1.0.0',
        name: 'web',
        plugins: ['bridge', 'portmap', 'firewall', 'tuning', 'bandwidth'].map((type) => ({ type })),
      },
      containerId: '0123456789abcdef',
      netns: `/run/netns/ct${vmid}`,
      ifname,
      args: { IgnoreUnknown: '1' },
      capabilityArgs: { ips: ['10.20.0.10/24'] },
    },
    result: null,
    addresses: ['10.20.0.10'],
    mac: '02:00:00:00:00:01',
    hostInterface: 'veth0',
    error: null,
    since: 1000,
    ...changes,
  };
}

export function operation(id: string, changes: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: 'attach',
    vmid: 101,
    network: null,
    requester: { door: 'cli', user: 'root' },
    traceId: '0'.repeat(32),
    begin: 1000,
    end: null,
    outcome: null,
    message: '',
    error: null,
    before: null,
    after: null,
    spans: [],
    ...changes,
  };
}
