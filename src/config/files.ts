import { failure, type PveCniError } from '../model/errors.ts';
import { namePatterns } from '../model/name-patterns.ts';
import { nearest } from './nearest.ts';

/** What a file below the root is, by its path alone. */
export type FileKind = 'settings' | 'network' | 'cniNetwork' | 'container' | 'policy' | 'service';

/** Folders that are looked into. */
export const folders = ['networks', 'containers', 'policies', 'services', 'tests'] as const;
export const settingsFileName = 'settings.yaml';

/** Everything that may stand in the root; the last three are ours to write. */
const rootNames = [...folders, settingsFileName, 'archive', 'addresses', 'nodes'];

const endings: Record<string, Record<string, FileKind>> = {
  networks: { yaml: 'network', conflist: 'cniNetwork', conf: 'cniNetwork' },
  containers: { yaml: 'container' },
  policies: { yaml: 'policy' },
  services: { yaml: 'service' },
};

/** Dot files (temporary ones, and what a cluster filesystem hides) and what editors leave: never looked at. */
export function isSkipped(name: string): boolean {
  return name.startsWith('.') || name.endsWith('~') || /^#.*#$/.test(name);
}

/** What a name in the root is taken for when it is none of the known ones: a slip is shown, anything else is not ours. */
export function slipInRoot(name: string): PveCniError | null {
  if (rootNames.includes(name)) return null;
  const meant = nearest(name, rootNames);
  return meant === null
    ? null
    : failure('CONFIG_INVALID', `${name} is not read; did you mean ${meant}? Allowed: ${rootNames.join(', ')}`, { path: name });
}

/** Kind of a file from its path below the root.
 *  @throws ConfigurationError CONFIG_INVALID for names that are not allowed, UNSUPPORTED for folders of later versions */
export function kindOfFile(file: string): FileKind {
  if (file === settingsFileName) return 'settings';
  const [folder = '', name = ''] = file.split('/');
  const allowed = endings[folder];
  if (!allowed)
    throw failure('UNSUPPORTED', `${file}: files in ${folder}/ are not supported yet; remove it, or use a version that has them`, {
      path: file,
    });
  const dot = name.lastIndexOf('.');
  const kind = dot > 0 && Object.hasOwn(allowed, name.slice(dot + 1)) ? allowed[name.slice(dot + 1)] : undefined;
  const list = Object.keys(allowed)
    .map((ending) => `.${ending}`)
    .join(', ');
  if (!kind) throw failure('CONFIG_INVALID', `${file} is not read: names of files in ${folder}/ must end in ${list}`, { path: file });
  if (kind === 'container' && !namePatterns.vmid.test(stem(file)))
    throw failure(
      'CONFIG_INVALID',
      `${file} is not read: it must be named after its container, such as containers/101.yaml (100 to 999999999)`,
      {
        path: file,
      },
    );
  if (kind === 'network' && !namePatterns.network.test(stem(file)))
    throw failure(
      'CONFIG_INVALID',
      `${file} is not read: the name of a network must start with a letter or digit and hold only letters, digits, "_", "." and "-" (63 at most)`,
      { path: file },
    );
  if (kind === 'service' && !namePatterns.service.test(stem(file)))
    throw failure(
      'CONFIG_INVALID',
      `${file} is not read: the name of a service must hold only lower-case letters, digits and "-", and neither begin nor end with "-" (63 at most)`,
      { path: file },
    );
  return kind;
}

/** networks/web.yaml → web */
export function stem(file: string): string {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return name.slice(0, name.lastIndexOf('.'));
}

/** Where a network's text belongs that is new: CNI's own JSON says its version or lists plugins. A program that reads the text with
 *  less care must not take one kind for the other: only what begins with a brace is JSON. */
export function networkPath(name: string, text: string): string {
  const json = /^[ \t\r\n]*\{/.test(text) ? asJson(text) : null;
  const ending = json && 'plugins' in json ? 'conflist' : json && 'cniVersion' in json ? 'conf' : 'yaml';
  return `networks/${name}.${ending}`;
}

function asJson(text: string): object | null {
  try {
    return JSON.parse(text) as object;
  } catch {
    return null; // YAML has braces, too
  }
}

export function servicePath(name: string): string {
  return `services/${name}.yaml`;
}

export function containerPath(vmid: number): string {
  return `containers/${vmid}.yaml`;
}
