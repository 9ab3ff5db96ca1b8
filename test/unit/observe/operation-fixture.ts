import type { Operation, Span } from '../../../src/model/operation.ts';

/** An ended attach of container 101 to `web` with two plugins, the second of which failed. */
export function attachOperation(changes: Partial<Operation> = {}): Operation {
  return {
    id: 'op-1',
    kind: 'attach',
    vmid: 101,
    network: 'web',
    requester: { door: 'lxc-hook', user: 'root' },
    traceId: '0af7651916cd43dd8448eb211c80319c',
    begin: 1_700_000_000_000,
    end: 1_700_000_000_750,
    outcome: 'failed',
    message: 'cannot add eth0 of container 101',
    error: null,
    before: null,
    after: null,
    spans: [
      span({ id: 'aaaaaaaaaaaaaaaa', name: 'step:add', durationMs: 700 }),
      span({
        id: 'bbbbbbbbbbbbbbbb',
        parent: 'aaaaaaaaaaaaaaaa',
        name: 'plugin:bridge:ADD',
        durationMs: 200,
        facts: { network: 'web', code: 0 },
      }),
      span({ id: 'cccccccccccccccc', parent: 'aaaaaaaaaaaaaaaa', name: 'plugin:portmap:ADD', durationMs: 400, error: 'no iptables' }),
    ],
    ...changes,
  };
}

function span(changes: Partial<Span>): Span {
  return { id: '', parent: null, name: '', start: 1_700_000_000_010.5, durationMs: 0, ...changes };
}
