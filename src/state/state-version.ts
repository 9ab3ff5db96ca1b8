import { existsSync } from 'node:fs';
import { migrations } from './migrations.ts';
import { versionWithoutTouching } from './open-store.ts';
import { readHeader } from './state-file.ts';

/** The version of a state file, 0 when there is none (or none of SQLite's), and the newest that this program knows. Writes nothing,
 *  and may be asked while a service holds the file: an installation asks it before it replaces that service. */
export function stateVersion(file: string): { file: string; version: number; known: number } {
  const header = existsSync(file) ? readHeader(file) : null;
  const version = header?.kind === 'sqlite' ? versionWithoutTouching(file, header.userVersion) : 0;
  return { file, version, known: migrations.length };
}
