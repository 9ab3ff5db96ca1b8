import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../model/errors.ts';
import { type NodeReport, nodeReport } from '../model/node-report.ts';
import { createDeadline } from './deadline.ts';
import { readRegularFile } from './read.ts';
import { stateOfRoot } from './root.ts';
import { replaceFile } from './write.ts';

export interface NodeReports {
  /** What the nodes said last; a file that is none of ours or cannot be read is left out. */
  list(): Promise<NodeReport[]>;
  /** Writes this node's, when it says something else than before. Whether it did. */
  publish(networks: NodeReport['networks']): Promise<boolean>;
}

export interface NodeReportOptions {
  root: string;
  clusterMount: string;
  node: string;
  clock: () => number;
}

const limitMs = 5000;

export function createNodeReports({ root, clusterMount, node, clock }: NodeReportOptions): NodeReports {
  const reading = createDeadline(limitMs);
  const writing = createDeadline(limitMs);
  let published: string | null = null;

  async function read(name: string): Promise<NodeReport | null> {
    const file = `nodes/${name}.json`;
    try {
      const found = await readRegularFile(join(root, file), file);
      const report = nodeReport.parse(JSON.parse(found?.text ?? 'null'));
      return report.node === name ? report : null;
    } catch {
      return null;
    }
  }

  async function readAll(): Promise<NodeReport[]> {
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
