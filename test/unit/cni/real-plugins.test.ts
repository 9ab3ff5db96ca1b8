import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { skip } from '../../support/skip.ts';
import { names } from './real-plugins.ts';

// Debian's plugins on real links, rules and queues: each case in a process of its own, in a network namespace of its own.
describe('CNI runtime with the reference plugins', () => {
  before(function () {
    if (!existsSync('/usr/lib/cni/bridge')) skip(this, '/usr/lib/cni/bridge is not there (Debian: containernetworking-plugins)');
  });

  for (const name of names) {
    it(name, async () => {
      const program = new URL('./real-plugins.ts', import.meta.url).pathname;
      await execa('unshare', ['--net', process.execPath, '--import', 'tsx', program, name], {
        stderr: ['pipe', 'inherit'],
        timeout: 50_000,
      });
    });
  }
});
