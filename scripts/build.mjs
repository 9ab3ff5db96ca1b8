#!/usr/bin/env node
// Bundles the service, the command, the hookscript and the panel into dist/. better-sqlite3 is native and stays outside the bundle.
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { panelBundle } from './panel.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

// CommonJS packages inside an ESM bundle call require() for Node's own modules
const requireInEsm = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

// V8 keeps its heap small, before anything else runs: the service's stays at half of what it would grow to
const smallHeap = "import __v8 from 'node:v8'; __v8.setFlagsFromString('--optimize-for-size');";

const bundles = [
  { entry: 'src/main.ts', to: 'pve-cnid.mjs', format: 'esm', shebang: '#!/usr/bin/env node', resident: true },
  // a process of its own, and small: see src/host/launcher.ts
  { entry: 'src/host/launcher-process.ts', to: 'pve-cni-launcher.mjs', format: 'esm', shebang: '#!/usr/bin/env node', resident: true },
  { entry: 'src/cli.ts', to: 'pve-cni.mjs', format: 'esm', shebang: '#!/usr/bin/env node' },
  // Proxmox starts hookscripts with a bare environment, hence the absolute interpreter; no extension and CommonJS, so
  // that Node needs neither a package.json nor its slower ESM loader
  { entry: 'hookscripts/hookscript.ts', to: 'hookscript', format: 'cjs', shebang: '#!/usr/bin/node' },
];
const copies = [{ entry: 'hookscripts/lxc-hook', to: 'lxc-hook' }];

// What proxmox-api would fetch with: it is given a fetch of ours, which checks the node's certificate (src/proxmox/pinned-request.ts). A
// megabyte of source, and 15 MB of memory.
const withoutUndici = {
  name: 'without-undici',
  setup(building) {
    building.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'left-out' }));
    building.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'export const fetch = undefined;' }));
  },
};

const missing = await absent([...bundles, ...copies].map(({ entry }) => entry));
if (missing.length > 0) {
  console.error(`build: cannot bundle, these sources do not exist: ${missing.join(', ')}`);
  process.exit(1);
}

await mkdir(join(root, 'dist'), { recursive: true });
const inside = new Set();
try {
  await Promise.all([...bundles.map(bundle), ...copies.map(copy), panel()]);
  await writeFile(join(root, 'dist/third-party-licenses.txt'), await licenses());
} catch (error) {
  // esbuild has printed file and line already
  console.error(`build: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
// The project's package.json above says `module`, which would hold for the hookscript without extension, too. Written last:
// scripts/setup takes its time for the time of the last build that succeeded.
await writeFile(join(root, 'dist/package.json'), '{ "type": "commonjs" }\n');

async function bundle({ entry, to, format, shebang, resident }) {
  const outfile = join(root, 'dist', to);
  const { metafile } = await build({
    metafile: true,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    format,
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: ['better-sqlite3'],
    plugins: [withoutUndici],
    define: { __VERSION__: JSON.stringify(version) },
    banner: { js: [shebang, resident && smallHeap, format === 'esm' && requireInEsm].filter(Boolean).join('\n') },
    // what an operator sees in a stack trace must be names of ours
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const input of Object.keys(metafile.inputs)) {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [];
    if (folder) inside.add(folder);
  }
  await chmod(outfile, 0o755);
  console.log(`dist/${to} from ${entry}`);
}

/** What the packages inside the bundles want to be passed on with them. */
async function licenses() {
  const parts = [...inside].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    const files = (await readdir(join(root, folder))).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const texts = await Promise.all(files.map((file) => readFile(join(root, folder, file), 'utf8')));
    return [`== ${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n');
  });
  return `${(await Promise.all(parts)).join('\n\n\n')}\n`;
}

async function copy({ entry, to }) {
  const file = join(root, 'dist', to);
  await copyFile(join(root, entry), file);
  await chmod(file, 0o755);
  console.log(`dist/${to} from ${entry}`);
}

async function panel() {
  await writeFile(join(root, 'dist/pve-cni-panel.js'), await panelBundle(join(root, 'pve-ui/js'), version));
  console.log('dist/pve-cni-panel.js from pve-ui/js');
}

async function absent(entries) {
  const found = await Promise.all(entries.map((entry) => readFile(join(root, entry)).then(Boolean, () => false)));
  return entries.filter((_entry, index) => !found[index]);
}
