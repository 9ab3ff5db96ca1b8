import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Endpoint } from '../../../src/cilium/agent.ts';
import { readAgentState } from '../../../src/cilium/agent-metrics.ts';

describe('the agent’s page of metrics', () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = null;
  });
  const away = { endpoints: async () => null };
  async function pageOf(answer: RequestListener): Promise<string> {
    const listening = createServer(answer);
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return (await readAgentState(away, (listening.address() as AddressInfo).port)).page;
  }

  it('is taken as it is', async () => assert.equal(await pageOf((_request, response) => response.end('cilium_a 1\n')), 'cilium_a 1\n'));

  for (const [name, answer] of [
    ['an error', (_request, response) => response.writeHead(500).end('cilium_a 1\n')],
    ['a redirection', (_request, response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end('cilium_a 1\n')],
    ['more than 8 MiB', (_request, response) => response.end('cilium_a 1\n'.repeat(1_000_000))],
    ['half an answer', (_request, response) => response.write('cilium_a 1\n', () => response.destroy())],
    ['silence', () => {}],
    [
      'an answer without end',
      (_request, response) => {
        const timer = setInterval(() => response.write('cilium_a 1\n'), 20);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ] as [string, RequestListener][])
    it(`is empty after ${name}, within 3 s`, async () => {
      const begin = performance.now();
      assert.equal(await pageOf(answer), '');
      assert.ok(performance.now() - begin < 3000);
    });

  it('is empty where nobody listens, and an agent that does not answer is not up', async () =>
    assert.deepEqual(await readAgentState(away, 1), { up: false, page: '', endpoints: [] }));

  it('comes with the containers of the endpoints', async () => {
    const endpoint: Endpoint & { vmid: number } = {
      id: 478,
      vmid: 101,
      attachmentId: '0123456789abcdef:eth0',
      state: 'ready',
      identity: 50_000,
      labels: ['k8s:name=web', 'k8s:type=container', 'k8s:vmid=101'],
      addresses: [],
      hostInterface: '',
      mac: '',
      policyRevision: 1,
      policyEnabled: 'none',
    };
    const { up, endpoints } = await readAgentState({ endpoints: async () => [endpoint] }, 1);
    assert.equal(up, true);
    assert.deepEqual(endpoints, [{ vmid: 101, name: 'web', ifname: 'eth0', endpoint: 478, identity: 50_000, state: 'ready' }]);
  });
});
