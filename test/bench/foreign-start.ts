import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dropInPath } from '../support/drop-in.ts';
import { type Benchmark, figure, inTurn, percentile, timed } from './figures.ts';

/** A container that is not ours: the drop-in's guard, run as LXC runs a hook, against /bin/true run likewise. */
export const foreignStart: Benchmark = {
  figures: ['foreign.start'],
  async run(runs) {
    const guard = /^lxc\.hook\.start-host = (.*)$/m.exec(readFileSync(dropInPath, 'utf8'))?.[1];
    if (!guard) throw new Error('the drop-in has no start-host');
    const measured = { ours: [] as number[], bare: [] as number[] };
    const measure = (side: keyof typeof measured, command: string) => async () =>
      void measured[side].push(await timed(async () => runHook(command)));
    await inTurn(5 + runs, measure('ours', guard), measure('bare', '/bin/true'));
    const median = (side: keyof typeof measured) => percentile(measured[side].slice(5), 50);
    return [figure('foreign.start', 'ms', median('ours'), median('bare'), runs)];
  },
};

/** lxc/conf.c, run_script_argv and run_buffer: popen of `exec HOOK NAME lxc TYPE`, with what is known in the environment. */
function runHook(hook: string): void {
  const { status } = spawnSync('sh', ['-c', `exec ${hook} 700000001 lxc start-host`], {
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LXC_NAME: '700000001',
      LXC_PID: '1',
      LXC_HOOK_TYPE: 'start-host',
      LXC_HOOK_SECTION: 'lxc',
    },
    stdio: 'ignore',
  });
  if (status !== 0) throw new Error(`the hook ended with ${status}`);
}
