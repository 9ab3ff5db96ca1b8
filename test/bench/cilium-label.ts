import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../support/until.ts';
import { missingAgent, withCilium } from './cilium-sides.ts';
import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { post } from './request.ts';
import { firstVmid } from './sides.ts';
import { createTarget } from './target.ts';

const [client, server] = [firstVmid, firstVmid + 1];
const policy = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'bench' },
  spec: {
    endpointSelector: { matchLabels: { vmid: String(server) } },
    ingress: [{ fromEndpoints: [{ matchLabels: { access: 'granted' } }] }],
  },
};

/** From the moment a label is written into containers/VMID.yaml until the first packet is let through that was dropped without it. `bare`
 *  is the same change asked of the agent directly. The agent's own grace period (1 s, core/cilium-agent.ts) is in both. */
export const ciliumLabel: Benchmark = {
  figures: ['cilium.label.ms'],
  missing: missingAgent,
  run: (runs) =>
    withCilium(2, async ({ daemon, lab }) => {
      const file = (access: string) =>
        daemon.write(`containers/${client}.yaml`, JSON.stringify({ interfaces: [{ name: 'eth0', network: 'pods' }], labels: { access } }));
      file('none');
      daemon.write('policies/bench.yaml', JSON.stringify(policy));
      await daemon.reconciled();
      const targets = [await createTarget(), await createTarget()];
      for (const [n, { pid }] of targets.entries()) await post(daemon.socket, '/v1/hooks/start-host', { vmid: firstVmid + n, pid });
      const { agent } = lab.first;
      const endpoints = (await agent.endpoints()).filter(({ labels }) => labels.some((label) => label.startsWith('k8s:vmid=')));
      const of = (vmid: number) => endpoints.find(({ labels }) => labels.includes(`k8s:vmid=${vmid}`));
      const address = of(server)?.addresses[0] ?? '';
      const id = of(client)?.attachmentId ?? '';
      const labels = of(client)?.labels.filter((label) => !label.startsWith('k8s:access=')) ?? [];
      const probe = createProbe(targets[0]?.pid ?? 0, targets[1]?.pid ?? 0, address);
      const change = async (apply: (access: string) => unknown): Promise<number> => {
        // the file's text is the truth, whoever changed the agent's mind meanwhile
        await until('the client is kept out', () => probe.silentMs() > 300, 30);
        const begin = performance.now();
        await apply('granted');
        const ms = (await probe.next()) - begin;
        file('none');
        await agent.relabel(id, [...labels, 'k8s:access=none']);
        return ms;
      };
      try {
        const measured = { ours: [] as number[], bare: [] as number[] };
        const rounds = Math.max(2, Math.ceil(runs / 5));
        await inTurn(
          rounds,
          async () => void measured.ours.push(await change(file)),
          async () => void measured.bare.push(await change((access) => agent.relabel(id, [...labels, `k8s:access=${access}`]))),
        );
        return [figure('cilium.label.ms', 'ms', percentile(measured.ours, 50), percentile(measured.bare, 50), rounds)];
      } finally {
        probe.end();
        for (const target of targets) await target.kill();
        for (const vmid of [client, server]) await post(daemon.socket, '/v1/hooks/stop', { vmid });
      }
    }),
};

/** A datagram every 2 ms from one namespace to the other, which answers; says when answers come. */
function createProbe(clientPid: number, serverPid: number, address: string) {
  const inside = (pid: number, script: string): ChildProcess =>
    spawn('nsenter', ['-t', String(pid), '-n', process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const socket = "const s = require('node:dgram').createSocket('udp4');";
  const answering = inside(serverPid, `${socket} s.on('message', (m, { port, address }) => s.send(m, port, address)).bind(9000)`);
  const asking = inside(
    clientPid,
    `${socket} s.on('message', () => console.log('.')); s.bind(() => setInterval(() => s.send('x', 9000, '${address}', () => {}), 2))`,
  );
  const began = performance.now();
  let lastAt = began;
  let waiting: ((at: number) => void) | null = null;
  createInterface({ input: asking.stdout as NodeJS.ReadableStream }).on('line', () => {
    lastAt = performance.now();
    waiting?.(lastAt);
    waiting = null;
  });
  return {
    silentMs: () => performance.now() - lastAt,
    /** when the next answer came */
    next: () =>
      new Promise<number>((resolve) => {
        waiting = resolve;
      }),
    end() {
      asking.kill('SIGKILL');
      answering.kill('SIGKILL');
    },
  };
}
