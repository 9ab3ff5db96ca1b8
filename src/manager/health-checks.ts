import PQueue from 'p-queue';
import { checked, type Health, unchecked } from '../core/service-health.ts';
import { bracketed, type Candidate } from '../core/services.ts';
import { asPveCniError } from '../model/errors.ts';
import type { BackendReport, Service, ServiceHealth } from '../model/service.ts';
import type { Dependencies } from './dependencies.ts';

/** how many backends are asked at once: each is a process */
const parallel = 8;

/** Checks of this node's own containers. A container is asked from inside its own network namespace at its own address: that needs no
 *  policy to let the node in, and a policy that keeps clients out makes nobody look dead. */
export interface HealthChecks {
  /** Begins the checks that are due and forgets what is not asked for any more. */
  follow(wanted: readonly { service: Service; candidate: Candidate }[]): void;
  /** What is known of each that is followed. */
  findings(): BackendReport['backends'];
  /** Whether each that is followed was checked at least once. */
  readonly complete: boolean;
  /** Resolves when no check runs any more. */
  stop(): Promise<void>;
}

interface Followed {
  service: Service;
  candidate: Candidate;
  health: Health;
  checks: number;
  running: boolean;
}

/** `changed` is called when a backend went up or down. */
export function createHealthChecks(deps: Pick<Dependencies, 'host' | 'settings' | 'clock' | 'log'>, changed: () => void): HealthChecks {
  const { clock, log } = deps;
  const followed = new Map<string, Followed>();
  const queue = new PQueue({ concurrency: parallel });

  async function check(one: Followed): Promise<void> {
    const { service, candidate } = one;
    if (!service.health) return;
    const failure = await ask(deps, candidate, service.health);
    const before = one.health;
    one.health = checked(before, failure, clock(), service.health.intervalMs);
    one.checks += 1;
    if (before.up === one.health.up && one.checks > 1) return;
    log.info(
      { service: service.name, vmid: candidate.vmid, address: candidate.address, reason: one.health.reason },
      `a backend is ${one.health.up ? 'up' : 'down'}`,
    );
    changed();
  }

  return {
    follow(wanted) {
      const now = clock();
      const gone = new Set(followed.keys());
      for (const { service, candidate } of wanted) {
        const key = `${service.name} ${candidate.vmid} ${candidate.address}`;
        gone.delete(key);
        const known = followed.get(key);
        // another check, or another port: what was found says nothing of it
        const same = known && JSON.stringify(known.service.health) === JSON.stringify(service.health);
        if (same) Object.assign(known, { service, candidate });
        else followed.set(key, { service, candidate, health: unchecked(now), checks: 0, running: false });
      }
      for (const key of gone) followed.delete(key);
      for (const one of followed.values()) {
        if (one.running || one.health.nextAt > now) continue;
        one.running = true;
        void queue.add(() =>
          check(one)
            .catch((error) => log.error({ err: error }, 'a health check failed by itself'))
            .finally(() => {
              one.running = false;
            }),
        );
      }
    },
    findings: () =>
      [...followed.values()].map(({ service, candidate, health: { up, reason, since } }) => ({
        service: service.name,
        address: candidate.address,
        up,
        reason: up ? '' : reason,
        since,
      })),
    get complete() {
      return [...followed.values()].every(({ checks }) => checks > 0);
    },
    async stop() {
      queue.clear();
      await queue.onIdle();
    },
  };
}

/** null: it is well; else what is wrong. */
async function ask(
  { host, settings }: Pick<Dependencies, 'host' | 'settings'>,
  { vmid, address }: Candidate,
  health: ServiceHealth,
): Promise<string | null> {
  const inside = ['nsenter', `--net=${settings.netnsDir}/ct${vmid}`, '--'] as const;
  const kind = kinds[health.check.kind];
  try {
    const path = health.check.kind === 'http' ? health.check.path : '';
    const answer = await host.run([...inside, ...kind.argv(address, health.port, path, health.timeoutMs)], {
      timeoutMs: health.timeoutMs + 500,
    });
    return kind.verdict(answer);
  } catch (thrown) {
    const { context, message } = asPveCniError(thrown);
    return said(typeof context.stderr === 'string' && context.stderr.trim() !== '' ? context.stderr : message);
  }
}

const kinds = {
  http: {
    argv: (address: string, port: number, path: string, timeoutMs: number) => [
      ...['curl', '--disable', '--silent', '--show-error', '--output', '/dev/null', '--noproxy', '*', '--globoff', '--path-as-is'],
      ...['--max-time', String(timeoutMs / 1000), '--write-out', '%{http_code}', `http://${bracketed(address)}:${port}${path}`],
    ],
    verdict: (answer: string) => (/^[23]\d\d$/.test(answer.trim()) ? null : `it answered ${answer.trim().slice(0, 20)}`),
  },
  tcp: {
    // arguments, not text of the script
    argv: (address: string, port: number, _path: string, timeoutMs: number) => [
      ...['timeout', String(timeoutMs / 1000), 'bash', '-c', 'exec 3<>"/dev/tcp/$0/$1"', address, String(port)],
    ],
    verdict: () => null,
  },
} as const;

/** The last words of curl or bash: `Connection refused`. */
function said(stderr: string): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last
    .replace(/^curl: \(\d+\) /, '')
    .replace(/^bash: (line \d+: )?(\/dev\/tcp\/\S+: )?/, '')
    .slice(0, 300);
}
