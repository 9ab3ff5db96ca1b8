// tsx scripts/generate.ts [--check]
// Writes the documents that are made from the sources; with --check only says whether they are fresh.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderConfigurationReference } from '../src/config/reference.ts';
import { bridgeDocument } from '../src/http/bridge.ts';
import { openApiDocument } from '../src/http/openapi.ts';
import { renderErrors } from './render-errors.ts';
import { renderForms } from './render-forms.ts';
import { renderProxmoxApi } from './render-proxmox-api.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes('--check');

const documents: { file: string; render: () => Promise<string> }[] = [
  { file: 'docs/errors.md', render: async () => renderErrors() },
  { file: 'docs/proxmox-api.md', render: async () => renderProxmoxApi() },
  { file: 'docs/configuration.md', render: async () => renderConfigurationReference() },
  { file: 'pve-ui/js/generated/Forms.js', render: async () => renderForms() },
  { file: 'docs/api/openapi.json', render: async () => `${JSON.stringify(openApiDocument(await version()), null, 2)}\n` },
  { file: 'pve-ui/perl/PVE/CNI/routes.json', render: async () => `${JSON.stringify(bridgeDocument(await version()), null, 2)}\n` },
];

let stale = 0;
for (const { file, render } of documents) {
  const path = join(root, file);
  const text = await render();
  const present = await readFile(path, 'utf8').catch(() => '');
  if (present === text) continue;
  stale += 1;
  if (check) {
    console.error(`generate: ${file} is not what the sources say; run: npm run gen`);
    continue;
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  console.log(`generate: ${file} written`);
}
if (check && stale > 0) process.exit(1);

async function version(): Promise<string> {
  return JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version;
}
