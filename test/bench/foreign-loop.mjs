// Runs two shell commands in turn as LXC runs a hook, from a process as small as LXC's monitor is small: what a fork costs
// goes with the memory of who forks. Takes { commands: [ours, bare], env, runs }, answers { ms: [[...], [...]] }.
import { spawnSync } from 'node:child_process';

process.once('message', ({ commands, env, runs }) => {
  const ms = [[], []];
  for (let run = 0; run < runs; run += 1)
    for (const side of run % 2 === 0 ? [0, 1] : [1, 0]) {
      const begin = performance.now();
      const { status } = spawnSync('/bin/sh', ['-c', commands[side]], { env, stdio: 'ignore' });
      ms[side].push(performance.now() - begin);
      if (status !== 0) process.exit(1);
    }
  process.send({ ms }, () => process.exit());
});
