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
      flows: { kept: 0, lost: {}, gaps: 0, drops: new Map(), policies: new Map(), rows: 0, bytes: 0, connected: false },
      agent: { up: false, page: '', endpoints: [] },
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

  it('shows Cilium’s identities by use once somebody has looked, and counts those that were removed', async () => {
    const before = (await make().render()).text;
    assert.equal(value(before, 'pve_cni_cilium_identities{state="used"}'), undefined);
    assert.equal(value(before, 'pve_cni_cilium_identities_removed_total'), '0');
    state = { ...state, identities: { counts: { used: 5, unused: 2 }, removed: 3 } };
    const { text } = await make().render();
    assert.equal(value(text, 'pve_cni_cilium_identities{state="used"}'), '5');
    assert.equal(value(text, 'pve_cni_cilium_identities{state="unused"}'), '2');
    assert.equal(value(text, 'pve_cni_cilium_identities_removed_total'), '3');
  });

  it('forgets the interfaces, networks and addresses that are gone', async () => {
    const metrics = make();
    await metrics.render();
    state = { ...state, attachments: [], addresses: [], pools: [], debts: 0, problems: [] };
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

  it('counts flows that were kept, lost and dropped, each by what it is known for', async () => {
    const drops = new Map([
      ['no policy allows it', 3],
      ['a "quoted" reason', 1],
    ]);
    const policies = new Map([['web', new Map([['forwarded', 4]])]]);
    state.flows = { policies, kept: 7, lost: { hubble: 5, kernel: 0 }, gaps: 2, drops, rows: 4, bytes: 8192, connected: true };
    const metrics = make();
    await metrics.render();
    const { text } = await metrics.render();
    assert.equal(value(text, 'pve_cni_flows_kept_total'), '7');
    assert.equal(value(text, 'pve_cni_flows_lost_total{place="hubble"}'), '5');
    assert.equal(value(text, 'pve_cni_flows_lost_total{place="kernel"}'), '0');
    assert.equal(value(text, 'pve_cni_flow_gaps_total'), '2');
    assert.equal(value(text, 'pve_cni_flows_dropped_total{reason="no policy allows it"}'), '3');
    assert.equal(value(text, 'pve_cni_policy_verdicts_total{policy="web",verdict="forwarded"}'), '4');
    assert.equal(value(text, 'pve_cni_flow_store_rows'), '4');
    assert.equal(value(text, 'pve_cni_hubble_up'), '1');
  });

  it('says that there is no agent, and shows nothing of one', async () => {
    const { text } = await make().render();
    assert.equal(value(text, 'pve_cni_cilium_agent_up'), '0');
    assert.doesNotMatch(text, /^cilium_/m);
  });

  it('shows the agent’s own metrics, with the container where one is of an endpoint', async () => {
    const page = [
      '# HELP cilium_endpoint_state Count of all endpoints',
      '# TYPE cilium_endpoint_state gauge',
      'cilium_endpoint_state{endpoint_state="ready"} 3',
      '# HELP cilium_bpf_map_pressure Fill percentage of map',
      '# TYPE cilium_bpf_map_pressure gauge',
      'cilium_bpf_map_pressure{map_name="cilium_policy_v2_00478"} 0.125',
      'cilium_bpf_map_pressure{map_name="cilium_policy_v2_00999"} 0.5',
      '# HELP process_cpu_seconds_total Total',
      '# TYPE process_cpu_seconds_total counter',
      'process_cpu_seconds_total 12.5',
      '',
    ].join('\n');
    state.agent = {
      up: true,
      page,
      endpoints: [{ vmid: 101, name: 'web', ifname: 'eth0', endpoint: 478, identity: 50_000, state: 'ready' }],
    };
    const { text } = await make().render();
    assert.equal(value(text, 'pve_cni_cilium_agent_up'), '1');
    assert.equal(
      value(text, 'pve_cni_cilium_endpoint_info{vmid="101",container="web",ifname="eth0",endpoint="478",identity="50000",state="ready"}'),
      '1',
    );
    assert.equal(value(text, 'cilium_endpoint_state{endpoint_state="ready"}'), '3');
    assert.equal(value(text, 'cilium_bpf_map_pressure{map_name="cilium_policy_v2_00478",vmid="101",container="web"}'), '0.125');
    assert.equal(value(text, 'cilium_bpf_map_pressure{map_name="cilium_policy_v2_00999"}'), '0.5');
    assert.doesNotMatch(text, /process_cpu/);
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
    state.flows = { ...state.flows, kept: 1, lost: { queue: 1 }, drops: new Map([['no policy allows it', 1]]) };
    const page = '# HELP cilium_version Version of the agent\n# TYPE cilium_version gauge\ncilium_version{version="1.20.2"} 1\n';
    state.agent = { up: true, page, endpoints: [{ vmid: 101, name: 'web', ifname: 'eth0', endpoint: 7, identity: 1, state: 'ready' }] };
    return metrics.render().then(({ text }) => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      assert.equal(stdout + stderr, '');
    });
  });
});
