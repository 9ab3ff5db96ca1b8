import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createMetrics, type MetricsState } from '../../../src/observe/metrics.ts';
import { skip } from '../../support/skip.ts';
import { attachOperation } from './operation-fixture.ts';

const counts = {
  receivedBytes: 1000,
  receivedPackets: 10,
  receivedDrops: 1,
  transmittedBytes: 2000,
  transmittedPackets: 20,
  transmittedDrops: 2,
};

describe('metrics', () => {
  let state: MetricsState;
  const counters = async (link: string) => (link === 'veth1' ? counts : null);
  beforeEach(() => {
    state = {
      attachments: [
        { vmid: 101, ifname: 'eth0', network: 'web', phase: 'attached', hostInterface: 'veth1' },
        { vmid: 102, ifname: 'eth0', network: 'web', phase: 'adding', hostInterface: '' },
      ],
      addresses: [
        { network: 'web', address: '10.20.0.10', state: 'reserved' },
        { network: 'web', address: 'fd00:20::a', state: 'kept' },
      ],
      pools: [
        { network: 'web', family: 'ipv4', size: 253, used: 1 },
        { network: 'web', family: 'ipv6', size: 2n ** 64n - 2n, used: 1 },
      ],
      debts: 3,
      problems: [],
    };
  });
  const make = () => createMetrics({ source: () => state, version: '1.2.3', counters });
  const value = (text: string, series: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1);

  it('shows interfaces, addresses and debts as they are at the scrape', async () => {
    const { text } = await make().render();
    assert.equal(value(text, 'pve_cni_interfaces{network="web",state="attached"}'), '1');
    assert.equal(value(text, 'pve_cni_interfaces{network="web",state="adding"}'), '1');
    assert.equal(value(text, 'pve_cni_interfaces{network="web",state="degraded"}'), '0');
    assert.equal(value(text, 'pve_cni_addresses{network="web",family="ipv4",state="reserved"}'), '1');
    assert.equal(value(text, 'pve_cni_addresses{network="web",family="ipv4",state="free"}'), '252');
    assert.equal(value(text, 'pve_cni_addresses{network="web",family="ipv6",state="kept"}'), '1');
    assert.equal(value(text, 'pve_cni_debts'), '3');
    assert.match(text, /pve_cni_build_info\{version="1\.2\.3",nodejs="v\d+/);
  });

  it('counts traffic from the container’s side: what the host end transmits, the container receives', async () => {
    const { text } = await make().render();
    const labels = '{vmid="101",ifname="eth0",network="web"}';
    assert.equal(value(text, `pve_cni_interface_receive_bytes_total${labels}`), '2000');
    assert.equal(value(text, `pve_cni_interface_transmit_packets_total${labels}`), '10');
    assert.equal(value(text, `pve_cni_interface_receive_drops_total${labels}`), '2');
  });

  it('forgets the interfaces, networks and addresses that are gone', async () => {
    const metrics = make();
    await metrics.render();
    state = { attachments: [], addresses: [], pools: [], debts: 0, problems: [] };
    assert.equal((await metrics.render()).text.includes('web'), false);
  });

  it('counts an operation once as a whole and once for each plugin, with the outcome of each', async () => {
    const metrics = make();
    metrics.observeOperation(attachOperation());
    metrics.observeOperation(attachOperation({ end: null, outcome: null })); // still running: not counted
    const { text } = await metrics.render();
    const name = 'pve_cni_operation_duration_seconds';
    const labels = (plugin: string, outcome: string) => `operation="attach",network="web",plugin="${plugin}",outcome="${outcome}"`;
    assert.equal(value(text, `${name}_count{${labels('', 'failed')}}`), '1');
    assert.equal(value(text, `${name}_sum{${labels('', 'failed')}}`), '0.75');
    assert.equal(value(text, `${name}_count{${labels('bridge', 'ok')}}`), '1');
    assert.equal(value(text, `${name}_sum{${labels('portmap', 'failed')}}`), '0.4');
    assert.equal(value(text, `${name}_bucket{le="0.25",${labels('bridge', 'ok')}}`), '1');
    assert.equal(text.includes('step'), false);
  });

  it('counts a configuration error when it appears, not at every scrape, and again when it comes back', async () => {
    const metrics = make();
    const problem = { file: 'containers/101.yaml', error: { message: 'interfaces: missing' } };
    state = { ...state, problems: [problem] };
    await metrics.render();
    await metrics.render();
    metrics.observeProblems([]);
    const series = 'pve_cni_config_errors_total{object="containers/101.yaml"}';
    assert.equal(value((await metrics.render()).text, series), '2');
  });

  it('serves whole states to two scrapes at once', async () => {
    const metrics = make();
    const [one, two] = await Promise.all([metrics.render(), metrics.render()]);
    assert.equal(one.text, two.text);
  });

  it('passes promtool check metrics', function () {
    if (spawnSync('promtool', ['--version']).error) skip(this, 'promtool is not installed (Debian: prometheus)');
    const metrics = make();
    metrics.observeOperation(attachOperation());
    metrics.observeProblems([{ file: 'networks/web.yaml', error: { message: 'x' } }]);
    return metrics.render().then(({ text }) => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      assert.equal(stdout + stderr, '');
    });
  });
});
