// systemd does not run here: test/support/systemctl stands in for systemctl and starts what the units say.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Systemctl {
  /** folder of the units, below `etcDir` */
  units: string;
  etcDir: string;
  stop(unit: string): Promise<void>;
  /** what the unit's process printed */
  log(unit: string): string;
  remove(): Promise<void>;
}

/** Puts the stand-in where the service looks first. Wants a mount namespace of the test's own (scripts/isolated). */
export async function standInForSystemctl(folder: string): Promise<Systemctl> {
  const etcDir = join(folder, 'etc');
  const units = join(etcDir, 'systemd/system');
  const state = join(folder, 'systemd');
  const bin = join(folder, 'sbin');
  for (const path of [state, bin]) mkdirSync(path);
  const text = readFileSync('test/support/systemctl', 'utf8').replace('UNITS state=STATE', `${units} state=${state}`);
  writeFileSync(join(bin, 'systemctl'), text, { mode: 0o755 });
  await execa('sh', ['-c', `mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/system && mount --bind "${bin}" /usr/local/sbin`]);
  return {
    units,
    etcDir,
    stop: async (unit) => void (await execa(join(bin, 'systemctl'), ['stop', unit], { reject: false })),
    log: (unit) => (existsSync(join(state, `${unit}.log`)) ? readFileSync(join(state, `${unit}.log`), 'utf8') : ''),
    remove: async () => void (await execa('sh', ['-c', 'umount -l /usr/local/sbin; umount -l /run/systemd'])),
  };
}
