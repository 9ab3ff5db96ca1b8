import { access } from 'node:fs/promises';
import type { Run } from './run.ts';

/** Units of this node. On a machine that systemd did not boot nothing runs them, and every change is refused by `runs`. */
export interface Systemd {
  /** sd_booted(3) */
  runs(): Promise<boolean>;
  /** ActiveState of a unit, such as `active`, `failed`; `absent` when there is none, `no systemd` when nobody knows */
  state(unit: string): Promise<string>;
  /** Reads the units' files again. */
  reload(): Promise<void>;
  /** Starts a unit now and at each boot. */
  enable(unit: string): Promise<void>;
  /** Stops a unit and keeps it from starting at boot. Harmless for one that is not there. */
  disable(unit: string): Promise<void>;
  restart(unit: string): Promise<void>;
}

/** longer than systemd waits for a unit to stop (90 s) */
const timeoutMs = 120_000;

export function createSystemd(run: Run): Systemd {
  const runs = () =>
    access('/run/systemd/system').then(
      () => true,
      () => false,
    );
  return {
    runs,
    async state(unit) {
      if (!(await runs())) return 'no systemd';
      const text = await run(['systemctl', 'show', '--property=LoadState,ActiveState', unit]);
      const facts = new Map(text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const));
      return facts.get('LoadState') === 'not-found' ? 'absent' : (facts.get('ActiveState') ?? 'unknown');
    },
    reload: async () => void (await run(['systemctl', 'daemon-reload'], { timeoutMs })),
    enable: async (unit) => void (await run(['systemctl', 'enable', '--now', unit], { timeoutMs })),
    async disable(unit) {
      await run(['systemctl', 'disable', '--now', unit], { timeoutMs }).catch(async (error) => {
        if ((await run(['systemctl', 'show', '--property=LoadState', unit])).trim() !== 'LoadState=not-found') throw error;
      });
    },
    restart: async (unit) => void (await run(['systemctl', 'restart', unit], { timeoutMs })),
  };
}
