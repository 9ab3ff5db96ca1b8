import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigSnapshot, Configuration } from '../../../src/config/configuration.ts';
import { createConfiguration } from '../../../src/config/create.ts';
import type { PveCniError } from '../../../src/model/errors.ts';
import { openStore } from '../../../src/state/open-store.ts';
import type { Store } from '../../../src/state/store.ts';

/** A real root and a real store in a folder of their own. */
export interface Rig {
  root: string;
  store: Store;
  write(file: string, text: string): void;
  remove(file: string): void;
  /** a configuration as the service has it after a (new) start */
  start(): Configuration;
  /** what is configured when these are the files */
  read(files: Record<string, string>): Promise<ConfigSnapshot>;
  end(): void;
}

export function createRig(): Rig {
  const dir = mkdtempSync('/var/lib/pve-cni-test-config-');
  chmodSync(dir, 0o700);
  const root = join(dir, 'root');
  mkdirSync(root);
  const store = openStore({ file: join(dir, 'state', 'state.db') });
  const rig: Rig = {
    root,
    store,
    write(file, text) {
      mkdirSync(join(root, file, '..'), { recursive: true });
      writeFileSync(join(root, file), text);
    },
    remove: (file) => rmSync(join(root, file), { force: true, recursive: true }),
    start: () => createConfiguration({ root, store: store.configuration, transaction: store.transaction, pollMs: 50 }),
    async read(files) {
      for (const [file, text] of Object.entries(files)) rig.write(file, text);
      return rig.start().refresh();
    },
    end() {
      store.close();
      rmSync(dir, { recursive: true });
    },
  };
  return rig;
}

/** What is wrong with a file; fails when nothing is. */
export function problemOf({ problems }: ConfigSnapshot, file: string): PveCniError & { lastGoodServes?: boolean } {
  const found = problems.find((problem) => problem.file === file);
  if (!found) throw new Error(`nothing is wrong with ${file}`);
  return found.error;
}

export const web = 'type: bridge\nsubnets:\n  - { cidr: 10.20.0.0/24, gateway: 10.20.0.1, range: 10.20.0.10-10.20.0.250 }\nnat: true\n';
export const onWeb = 'interfaces:\n  - { name: eth0, network: web }\n';
