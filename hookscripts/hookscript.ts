import { readFileSync } from 'node:fs';
import { type Answer, ask, type Limits } from './service.ts';

/** Proxmox's hookscript: `hookscript VMID PHASE`. Tells the service the phase and the task log what came of it.
 *  Only a failed pre-start keeps a container from starting; of the others Proxmox only logs the failure. */

const startLimits: Limits = { seconds: 60, connectSeconds: 10 };
const stopLimits: Limits = { seconds: 7, connectSeconds: 2 };

const phases: ReadonlyMap<string, Limits> = new Map([
  ['pre-start', startLimits],
  ['post-start', startLimits],
  ['pre-stop', stopLimits],
  ['post-stop', stopLimits],
]);

async function main([vmid = '', phase = '']: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const limits = phases.get(phase);
  if (!limits) return 0; // Proxmox may add phases
  if (!/^[1-9][0-9]{2,8}$/.test(vmid)) return refuse(`${JSON.stringify(vmid)} is not the number of a container`);
  const onFailure = readMarker(`${env.PVE_CNI_STATE_DIR ?? '/var/lib/pve-cni'}/managed/${vmid}`);
  if (onFailure === null) return 0;
  const answer = await ask({
    socketPath: `${env.PVE_CNI_RUN_DIR ?? '/run/pve-cni'}/pve-cni.sock`,
    phase,
    vmid: Number(vmid),
    seconds: Number(env.PVE_CNI_HOOK_SECONDS ?? limits.seconds),
    connectSeconds: Number(env.PVE_CNI_CONNECT_SECONDS ?? limits.connectSeconds),
  });
  return conclude(answer, phase === 'pre-start' && onFailure !== 'start');
}

/** What the container's file says for a failure (`refuse` or `start`); null: the container is not managed. */
function readMarker(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function conclude(answer: Answer, silenceRefuses: boolean): number {
  if (answer.kind === 'refused') return refuse(answer.reason);
  if (answer.kind === 'unanswered') return silenceRefuses ? refuse(answer.reason) : warn([answer.reason]);
  if (answer.message) process.stdout.write(`${oneLine(answer.message)}\n`);
  return warn(answer.warnings);
}

function warn(warnings: string[]): number {
  for (const warning of warnings) process.stdout.write(`WARN: ${oneLine(warning)}\n`);
  return 0;
}

function refuse(reason: string): number {
  process.stderr.write(`pve-cni: ${oneLine(reason)}\n`);
  return 1;
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, 1000);
}

// who reads the task log may be gone; that must not become a verdict
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
main(process.argv.slice(2), process.env).then((code) => {
  process.exitCode = code;
});
