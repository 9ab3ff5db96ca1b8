import assert from 'node:assert/strict';
import type { FlowsView, FlowView } from '../../src/model/flow-api.ts';
import { until } from '../support/until.ts';
import { useCilium } from './rig.ts';
import { usePolicies } from './use-policies.ts';

/** The world's name server: an A record of 10.99.0.1 for every question. */
const nameServer = `require('dgram').createSocket('udp4').on('message', function (question, from) {
  const end = question.indexOf(0, 12) + 5;
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 99, 0, 1]);
  const head = Buffer.concat([question.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])]);
  this.send(Buffer.concat([head, question.subarray(12, end), answer]), from.port, from.address);
}).bind(53);`;

describe('flows with the agent’s DNS proxy', () => {
  const rig = useCilium({ settings: { dnsPolicies: true }, ignore: /^route .* table 2004 / });
  const apply = usePolicies(rig);
  let server = '';
  afterEach(() => {
    if (server) process.kill(Number(server));
    server = '';
  });

  const flow = (query: string, wanted: (flow: FlowView) => boolean) =>
    until('the flow is there', async () => {
      const { body } = await rig.daemon.api('GET', `/v1/flows?limit=500&${query}`);
      return (body as FlowsView).flows.find(wanted);
    });

  it('tell the questions, those that are refused, and the name that led to an address', async function () {
    this.timeout(120_000);
    server = await rig.lab.lan('sh', '-c', '"$0" -e "$1" > /dev/null 2>&1 & echo $!', process.execPath, nameServer);
    const one = await rig.container();
    await one.start();
    const dns = { ports: [{ port: '53', protocol: 'UDP' }], rules: { dns: [{ matchPattern: '*.test' }] } };
    await apply('names', {
      endpointSelector: { matchLabels: { vmid: String(one.vmid) } },
      egress: [{ toCIDR: ['10.99.0.1/32'], toPorts: [dns] }, { toFQDNs: [{ matchName: 'web.test' }] }],
    });

    await one.exec(['nslookup', '-type=a', 'web.test', '10.99.0.1']).catch(() => {});
    await one.exec(['nslookup', '-type=a', 'evil.example', '10.99.0.1']).catch(() => {});
    await one.exec(['ping', '-c', '1', '-w', '2', '10.99.0.1']).catch(() => {});

    const question = await flow('protocol=dns&verdict=forwarded', ({ detail }) => detail === 'A web.test.');
    assert.equal(question.from.vmid, one.vmid);
    assert.equal(question.to.port, 53);
    const refused = await flow('protocol=dns&verdict=dropped', ({ detail }) => detail.startsWith('A evil.example.'));
    assert.deepEqual([refused.from.vmid, refused.reason], [one.vmid, 'no rule allows the content']);
    await flow('protocol=udp&verdict=redirected&port=53', ({ from, policies }) => from.vmid === one.vmid && policies.includes('names'));
    const named = await flow('protocol=icmp', ({ to }) => to.address === '10.99.0.1');
    assert.deepEqual([named.to.kind, named.to.name], ['world', 'web.test']);
  });
});
