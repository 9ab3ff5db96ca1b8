import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { skip } from '../support/skip.ts';

// From nothing: in a Debian root that holds only minbase, a copy of this tree sets itself up and does what the README says.
// Setting up uses the machine's network; what follows runs over the same root in a network namespace of its own.

const minutes = 60_000;
/** of the tree: what a fresh copy of the sources does not have */
const leftOut = ['.git', '.cache', 'node_modules', 'dist', 'coverage'];
const releases = [
  { name: 'Debian 12', release: 'bookworm', hostTests: false },
  { name: 'Debian 13', release: 'trixie', hostTests: true }, // LXC 6, as on Proxmox VE 9
] as const;

for (const { name, release, hostTests } of releases)
  describe(`a clean ${name}`, () => {
    const cache = join(process.cwd(), '.cache/roots');
    const logs = join(process.cwd(), '.cache/reports');
    const written = join(cache, `${release}-run`);
    const tree = join(cache, `${release}-tree`);
    /** what a run may keep for the next one: downloads and builds, never the installation itself */
    const kept = [
      [`${release}-cache`, '/project/.cache'],
      [`${release}-apt`, '/var/cache/apt/archives'],
      [`${release}-npm`, '/root/.npm'],
    ].map(([folder, inner]) => ({ outer: join(cache, folder ?? ''), inner }));

    before(function () {
      if (process.getuid?.() !== 0) skip(this, 'needs root');
      if (spawnSync('debootstrap', ['--version']).error) skip(this, 'debootstrap is not installed (Debian: debootstrap)');
      clean();
      for (const folder of [logs, written, tree, ...kept.map(({ outer }) => outer)]) mkdirSync(folder, { recursive: true });
      for (const entry of readdirSync('.').filter((one) => !leftOut.includes(one)))
        cpSync(entry, join(tree, entry), { recursive: true, verbatimSymlinks: true });
    });
    after(clean);

    let ready = false;
    it('installs what it needs and builds', async function () {
      this.timeout(20 * minutes);
      await inRoot('setup', ['-n'], 'scripts/setup', '--test', 'host');
      ready = true;
    });

    it('runs scripts/demo to its end', async function () {
      if (!ready) skip(this, 'setting up failed');
      if (!existsSync('scripts/demo')) skip(this, 'scripts/demo does not exist');
      this.timeout(10 * minutes);
      await inRoot('demo', [], 'scripts/demo');
    });

    if (hostTests)
      it('passes the host tests', async function () {
        if (!ready) skip(this, 'setting up failed');
        this.timeout(30 * minutes);
        const log = await inRoot('host', [], 'scripts/test', '--only', 'host');
        assert.match(log, /^[1-9]\d* passed, 0 failed, \d+ skipped$/m);
      });

    /** Runs a command in /project of the root; its output goes to .cache/reports, its end into the error. */
    async function inRoot(step: string, options: string[], ...command: string[]): Promise<string> {
      const binds = [{ outer: tree, inner: '/project' }, ...kept].flatMap(({ outer, inner }) => ['-b', `${outer}:${inner}`]);
      const argv = ['-r', release, '-u', written, ...options, ...binds, 'env', '-C', '/project', ...command];
      const file = join(logs, `roots-${release}-${step}.log`);
      const output = createWriteStream(file);
      const child = spawn('bash', ['test/support/debian-root.sh', ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.pipe(output, { end: false });
      child.stderr.pipe(output, { end: false });
      const status = await new Promise((done) => child.once('close', done));
      await new Promise<void>((done) => output.end(() => done()));
      const log = readFileSync(file, 'utf8');
      assert.equal(status, 0, `${command.join(' ')} ended with ${status}; the end of ${file}:\n${log.split('\n').slice(-40).join('\n')}`);
      return log;
    }

    function clean() {
      for (const folder of [written, tree]) rmSync(folder, { recursive: true, force: true });
    }
  });
