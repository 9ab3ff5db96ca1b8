import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

/** A name server: *.test has the address in its first label (a-10-98-0-1.test), anything else does not exist. */
const nameServer = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (question, { address, port }) => {
  const labels = [];
  let at = 12;
  while (question[at] > 0) { labels.push(question.subarray(at + 1, at + 1 + question[at]).toString()); at += question[at] + 1; }
  const found = labels.at(-1) === 'test' && question.readUInt16BE(at + 1) === 1 ? /^[a-z]-(\\d+)-(\\d+)-(\\d+)-(\\d+)$/.exec(labels[0]) : null;
  const header = Buffer.from([question[0], question[1], 0x81, found || labels.at(-1) === 'test' ? 0x80 : 0x83, 0, 1, 0, found ? 1 : 0, 0, 0, 0, 0]);
  const answer = found ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...found.slice(1).map(Number)]) : Buffer.alloc(0);
  socket.send(Buffer.concat([header, question.subarray(12, at + 5), answer]), port, address);
});
socket.bind(53, '${gateway}', () => console.log('ready'));
`;

describe('policies by DNS names', () => {
  // the agent's way to its DNS proxy, which it leaves when it ends
  const rig = useCilium({ settings: { dnsPolicies: true }, ignore: /^route -4 local default dev lo table 2004 / });

  it('let a container reach what a name stands for, once it has asked for it, and nothing else', async function () {
    this.timeout(120_000);
    await rig.lab.lan('sh', '-c', 'ip addr add 10.98.0.1/32 dev lan; ip addr add 10.98.0.2/32 dev lan');
    const server = spawn('ip', ['netns', 'exec', rig.lab.lanName, process.execPath, '-e', nameServer]);
    try {
      await once(server.stdout, 'data');
      const container = await rig.container();
      await container.start();
      const policy = {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'names' },
        spec: {
          endpointSelector: { matchLabels: { type: 'container' } },
          egress: [
            {
              toCIDR: [`${gateway}/32`],
              toPorts: [{ ports: [{ port: 53, protocol: 'UDP' }], rules: { dns: [{ matchPattern: '*.test' }] } }],
            },
            { toFQDNs: [{ matchName: 'a-10-98-0-1.test' }] },
          ],
        },
      };
      const { status, body } = await rig.daemon.api('POST', '/v1/policies', { text: JSON.stringify(policy) });
      assert.deepEqual([status, body.inForce], [200, true], JSON.stringify(body));
      assert.equal(await reaches(container, '10.98.0.1', 2), false);
      await until('the name is answered', async () => (await ask(container, 'a-10-98-0-1.test')).includes('10.98.0.1'), 15);
      assert.equal(await reaches(container, '10.98.0.1'), true);
      assert.match(await ask(container, 'b-10-98-0-2.test'), /10\.98\.0\.2/);
      assert.equal(await reaches(container, '10.98.0.2', 2), false);
      assert.match(await ask(container, 'www.example'), /REFUSED|refused|can't/);
      await rig.daemon.api('DELETE', '/v1/policies/names');
    } finally {
      server.kill('SIGKILL');
    }
  });
});

function ask({ exec }: Container, name: string): Promise<string> {
  return exec(['sh', '-c', `timeout 3 nslookup ${name} ${gateway} 2>&1 || true`]);
}
