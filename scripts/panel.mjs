// The panel as one script for Proxmox's page: pve-ui/js in an order in which each class comes after what it extends. Plain script and not
// strict: ExtJS finds the caller of callParent() by `arguments.callee`, which strict mode forbids.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

// what changes Proxmox's classes comes last
const folders = ['generated', 'shared', 'container', 'node', 'dc', 'inject'];

/** Text of the bundle, from `folder` (pve-ui/js). */
export async function panelBundle(folder, version) {
  const sources = [];
  for (const name of folders) {
    const files = (await readdir(join(folder, name)).catch(() => [])).filter((file) => file.endsWith('.js')).sort();
    for (const file of files) sources.push({ file: `${name}/${file}`, text: await readFile(join(folder, name, file), 'utf8') });
  }
  const body = inOrder(sources)
    .map(({ file, text }) => `// ${file}\n${text.trimEnd()}\n`)
    .join('\n');
  return `${head(version)}${body}${tail}`;
}

/** Singletons first, whose functions others name while they are defined; classes after what they extend or require; else as they came. */
function inOrder(sources) {
  const definedBy = new Map();
  for (const source of sources)
    for (const [, name] of source.text.matchAll(/Ext\.define\(\s*'(PVECNI\.[\w.]+)'/g)) definedBy.set(name, source);
  const ordered = new Set();
  const visit = (source, trail) => {
    if (ordered.has(source)) return;
    if (trail.includes(source)) throw new Error(`classes extend each other: ${[...trail, source].map(({ file }) => file).join(', ')}`);
    for (const [, name] of source.text.matchAll(/(?:extend|mixins|requires): \[?\s*'(PVECNI\.[\w.]+)'/g)) {
      const base = definedBy.get(name);
      if (!base) throw new Error(`${source.file} extends ${name}, which no file defines`);
      if (base !== source) visit(base, [...trail, source]);
    }
    ordered.add(source);
  };
  const isSingleton = ({ text }) => /^ {4}singleton: true/m.test(text);
  for (const source of sources.filter(isSingleton)) visit(source, []);
  for (const source of sources) visit(source, []);
  return [...ordered];
}

// Whatever is missing or fails leaves Proxmox's page as it is; a second copy does nothing.
const head = (version) => `// pve-cni ${version}, https://www.gnu.org/licenses/agpl-3.0.html
(function () {
if (typeof Ext === 'undefined' || typeof Proxmox === 'undefined' || window.PVECNI) { return; }
try {
if (!Ext.ClassManager.get('PVE.panel.Config')) { return; }

`;
const tail = `
PVECNI.Styles.inject();
PVECNI.Tasks.describe();
} catch (error) {
console.error('pve-cni: the panel cannot be shown', error);
}
})();
`;
