import { failure } from '../model/errors.ts';

export type JsonObject = Record<string, unknown>;

/** bytes of a configuration file */
const maxJsonBytes = 256 * 1024;
/** objects and arrays inside each other */
const maxJsonDepth = 32;
/** keys that reach an object's prototype when somebody merges or assigns them */
const refusedKeys = new Set(['__proto__', 'constructor', 'prototype']);

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON text of a file as a value, within the limits of size and depth.
 *  @throws ConfigurationError CONFIG_SYNTAX, CONFIG_TOO_LARGE; CNIError CNI_CONFIG_INVALID for keys that are refused */
export function parseJson(text: string, file: string): unknown {
  if (Buffer.byteLength(text) > maxJsonBytes) throw tooLarge(file, `larger than ${maxJsonBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const line = position && text.slice(0, Number(position)).split('\n').length;
    const where = line ? `${file}:${line}` : file;
    throw failure('CONFIG_SYNTAX', `${where} is not valid JSON: ${error instanceof Error ? error.message : error}`, { path: file }, error);
  }
  checkJsonValue(value, file);
  return value;
}

/** Depth and keys of a value that came from JSON. Stops at the limit, so that no depth can overflow the stack.
 *  @throws ConfigurationError CONFIG_TOO_LARGE; CNIError CNI_CONFIG_INVALID */
export function checkJsonValue(value: unknown, file: string, field = '', depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth >= maxJsonDepth) throw tooLarge(file, `nested deeper than ${maxJsonDepth} levels`);
  for (const key of Object.keys(value)) {
    const at = Array.isArray(value) ? `${field}[${key}]` : field ? `${field}.${key}` : key;
    if (refusedKeys.has(key)) {
      throw failure('CNI_CONFIG_INVALID', `${file}: ${at}: the key ${key} is not allowed; remove it`, { path: file, field: at });
    }
    checkJsonValue((value as JsonObject)[key], file, at, depth + 1);
  }
}

function tooLarge(file: string, why: string) {
  return failure('CONFIG_TOO_LARGE', `${file} is ${why}`, { path: file });
}
