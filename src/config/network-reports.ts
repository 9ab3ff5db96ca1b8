import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../model/errors.ts';
import { type NetworkReport, networkReport } from '../model/network-report.ts';
import { createDeadline } from './deadline.ts';
import { readRegularFile } from './read.ts';
import { stateOfRoot } from './root.ts';
import { replaceFile } from './write.ts';

export interface NetworkReports {
  /** What the nodes said last; a file that is none of ours or cannot be read is left out. */
  list(): Promise<NetworkReport[]>;
  /** Writes this node's, when it says something else than before. Whether it did. */
  publish(networks: NetworkReport['networks']): Promise<boolean>;
}

export interface NetworkReportOptions {
  root: string;
  clusterMount: string;
  node: string;
  clock: () => number;
}

const limitMs = 5000;

export function createNetworkReports({ root, clusterMount, node, clock }: NetworkReportOptions): NetworkReports {
  const reading = createDeadline(limitMs);
  const writing = createDeadline(limitMs);
  let published: string | null = null;

  async function read(name: string): Promise<NetworkReport | null> {
    const file = `nodes/${name}.json`;
    try {
      const found = await readRegularFile(join(root, file), file);
      const report = networkReport.parse(JSON.parse(found?.text ?? 'null'));
      return report.node === name ? report : null;
    } catch {
      return null;
    }
  }

  async function readAll(): Promise<NetworkReport[]> {
    const names = await readdir(join(root, 'nodes')).catch(() => []);
    const nodes = names.filter((name) => /^[a-zA-Z0-9-]{1,63}\.json$/.test(name)).map((name) => name.slice(0, -'.json'.length));
    const found = await Promise.all(nodes.sort().map(read));
    return found.filter((one) => one !== null);
  }

  return {
    list: () => reading('read the reports of the nodes', readAll).catch(() => []),
    async publish(networks) {
      const text = JSON.stringify(networks);
      if (published === null) {
        const before = await reading('read the report of this node', () => read(node));
        published = before && JSON.stringify(before.networks);
      }
      if (published === text) return false;
      if (!(await writing(`look at ${root}`, () => stateOfRoot(root, clusterMount))).writable) return false;
      const file = `nodes/${node}.json`;
      await writing(`write ${file}`, () => replaceFile(root, file, `${JSON.stringify({ node, since: clock(), networks })}\n`)).catch(
        (error) => {
          throw failure('CONFIG_UNAVAILABLE', `cannot write ${file} below ${root}: ${error.message}`, { path: file }, error);
        },
      );
      published = text;
      return true;
    },
  };
}
