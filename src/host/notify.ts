import type { Execute } from './execute.ts';
import { toolEnvironment } from './run.ts';

/** Tells systemd how the service is: sd_notify(3). Node has no datagram sockets of the unix family, so systemd's own tool sends the
 *  messages; it waits until systemd has taken them, and the unit accepts them from any process of its own (NotifyAccess=all). */
export interface Notify {
  /** The doors are open; from now on systemd hears at intervals that the service turns (WatchdogSec=). */
  ready(): Promise<void>;
  /** The end has begun. No more is said after it. */
  stopping(): Promise<void>;
}

interface Options {
  execute: Execute;
  /** told when systemd could not be told */
  onFailure: (reason: string) => void;
}

const timeoutMs = 10_000;
/** of the watchdog's time: two messages may be lost */
const parts = 3;

/** Takes what systemd gave out of the environment, so that no child of the service speaks for it. Without systemd nothing is said. */
export function createNotify(env: NodeJS.ProcessEnv, { execute, onFailure }: Options): Notify {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: watched } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  const meant = watched === undefined || Number(watched) === process.pid;
  const periodMs = meant ? Number(watchdog ?? 0) / 1000 / parts : 0;
  let timer: NodeJS.Timeout | undefined;
  let telling = false;

  async function tell(...words: string[]): Promise<void> {
    if (socket === undefined) return;
    const outcome = await execute({
      path: 'systemd-notify',
      args: words,
      env: { ...toolEnvironment, NOTIFY_SOCKET: socket },
      stdin: '',
      timeoutMs,
    });
    if (outcome.how === 'exited' && outcome.exitCode === 0) return;
    onFailure(outcome.how === 'unstarted' ? outcome.reason : outcome.stderr.toString().trim() || outcome.how);
  }

  return {
    async ready() {
      await tell('--ready');
      if (!(periodMs > 0)) return;
      timer = setInterval(() => {
        if (telling) return; // systemd is slow; the last message still counts
        telling = true;
        void tell('WATCHDOG=1').finally(() => {
          telling = false;
        });
      }, periodMs);
      timer.unref();
    },
    async stopping() {
      clearInterval(timer);
      await tell('STOPPING=1');
    },
  };
}
