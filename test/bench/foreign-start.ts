import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dropInPath } from '../support/drop-in.ts';
import { type Benchmark, figure, percentile } from './figures.ts';

const name = '700000001';
const warmUp = 5;

/** A container that is not ours: the drop-in's guard, run as LXC runs a hook, against /bin/true run likewise. */
export const foreignStart: Benchmark = {
  figures: ['foreign.start'],
  async run(runs) {
    const guard = /^lxc\.hook\.start-host = (.*)$/m.exec(readFileSync(dropInPath, 'utf8'))?.[1];
    if (!guard) throw new Error('the drop-in has no start-host');
    const loop = fork(new URL('./foreign-loop.mjs', import.meta.url), [], { execArgv: [] });
    // lxc/conf.c, run_script_argv and run_buffer: popen of `exec HOOK NAME lxc TYPE`, with what is known in the environment
    const commands = [guard, '/bin/true'].map((hook) => `exec ${hook} ${name} lxc start-host`);
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LXC_NAME: name,
      LXC_PID: '1',
      LXC_HOOK_TYPE: 'start-host',
      LXC_HOOK_SECTION: 'lxc',
    };
    loop.send({ commands, env, runs: warmUp + runs });
    const [{ ms }] = (await Promise.race([once(loop, 'message'), once(loop, 'exit')])) as [{ ms?: [number[], number[]] }];
    if (!ms) throw new Error('a hook failed');
    const [ours, bare] = ms.map((side) => percentile(side.slice(warmUp), 50)) as [number, number];
    return [figure('foreign.start', 'ms', ours, bare, runs)];
  },
};
