import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Run } from '../host/run.ts';
import { asPveCniError, failure } from '../model/errors.ts';

/** An image from a registry, unpacked into a folder: skopeo fetches it, umoci unpacks it. No daemon, nothing of it is run. */

const fetchMs = 20 * 60_000;
const unpackMs = 10 * 60_000;

const layoutIndex = z.looseObject({ manifests: z.array(z.looseObject({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) })).min(1) });

/** Fetches an image into `folder`/image. Gives the digest of its manifest. @throws CNIError CILIUM_INSTALL_FAILED */
export async function fetchImage(run: Run, reference: string, folder: string, signal: AbortSignal): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // a node's own policy counts where there is one; skopeo does nothing without any
  const policy = await readFile('/etc/containers/policy.json').then(
    () => [],
    () => ['--insecure-policy'],
  );
  const plain = onLoopback(reference) ? ['--src-tls-verify=false'] : [];
  const target = `oci:${join(folder, 'image')}:install`;
  await tell(`cannot fetch ${reference}`, () =>
    run(
      [
        'skopeo',
        ...policy,
        '--override-os',
        'linux',
        '--tmpdir',
        folder,
        'copy',
        '--quiet',
        '--retry-times',
        '2',
        ...plain,
        `docker://${reference}`,
        target,
      ],
      {
        timeoutMs: fetchMs,
        signal,
      },
    ),
  );
  const index = layoutIndex.parse(JSON.parse(await readFile(join(folder, 'image', 'index.json'), 'utf8')));
  return index.manifests[0]?.digest ?? '';
}

/** Unpacks what `fetchImage` put there, and gives the folder of its files. @throws CNIError CILIUM_INSTALL_FAILED */
export async function unpackImage(run: Run, folder: string, signal: AbortSignal): Promise<string> {
  const rootfs = join(folder, 'rootfs');
  await tell('cannot unpack the image', () =>
    run(['umoci', 'raw', 'unpack', '--image', `${join(folder, 'image')}:install`, rootfs], { timeoutMs: unpackMs, signal }),
  );
  await rm(join(folder, 'image'), { recursive: true, force: true });
  return rootfs;
}

/** A registry on this node speaks plain HTTP, as Docker has it. */
function onLoopback(reference: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?\//.test(reference);
}

async function tell<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = asPveCniError(thrown);
    const why = String(error.context.stderr || error.message).trim();
    const last = why.split('\n').at(-1) ?? '';
    const said = /msg="((?:[^"\\]|\\.)*)"/.exec(last)?.[1]?.replaceAll('\\"', '"') ?? last;
    throw failure('CILIUM_INSTALL_FAILED', `${what}: ${said.slice(0, 500)}`, {}, error);
  }
}
