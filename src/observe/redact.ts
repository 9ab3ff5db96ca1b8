import { stdSerializers } from 'pino';

const secretKey = /(password|passwd|secret|token|authorization|cookie|private[-_]?key|credentials?|client-key-data|api[-_]?key)$/i;
const userInUrl = /([a-z][a-z0-9+.-]*:\/\/)[^\s/"\\@]+@/gi;
const maxDepth = 12;

/** A copy of `value` fit for the log: what a key says to be a secret is replaced, at any depth, errors are written out.
 *  Plugins' configurations and results pass through here, so neither shape nor depth is known. */
export function redact(value: unknown, depth = 0, above: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return value;
  if (depth > maxDepth) return '[too deep]';
  if (above.includes(value)) return '[circular]';
  const inside = [...above, value];
  if (Array.isArray(value)) return value.map((one) => redact(one, depth + 1, inside));
  if (value instanceof Error) return redact({ ...stdSerializers.err(value) }, depth, inside);
  if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON();
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      secretKey.test(key) && one !== null && one !== undefined ? '[redacted]' : redact(one, depth + 1, inside),
    ]),
  );
}

/** The same for a line of text: user and password in a URL. */
export function redactText(text: string): string {
  return text.replace(userInUrl, '$1[redacted]@');
}
