import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { failure } from '../model/errors.ts';
import { type NodeConfig, nodeFile } from '../model/settings.ts';
import { fileLimitBytes, fileTooLarge } from './limits.ts';
import { validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** The node's own configuration, read once, at start: pve-cnid.yaml.
 *  @throws ConfigurationError naming file, field and what is allowed; CONFIG_UNAVAILABLE when it cannot be read */
export function loadNodeConfig(path: string): NodeConfig {
  return validate(nodeFile, parseYaml(read(path), path), path);
}

function read(path: string): string {
  let descriptor: number | undefined;
  try {
    // not to wait for the other end, should it be a pipe
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(descriptor).size > fileLimitBytes) throw fileTooLarge(path);
    return readFileSync(descriptor, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'CONFIG_TOO_LARGE') throw error;
    throw failure(
      'CONFIG_UNAVAILABLE',
      `cannot read ${path}: ${code ?? error}; write it, at least \`root: /etc/pve/cni\``,
      { path },
      error,
    );
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
