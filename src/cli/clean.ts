// C0 without tab and newline, DEL, C1, and what reverses or hides text: an escape sequence starts with one of these
const unprintable = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** A copy of an answer that is safe on a terminal: names and messages of plugins cannot move its cursor or colour it. */
export function clean<T>(value: T): T {
  // the shape stays as it is, only characters go
  return cleaned(value) as T;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(unprintable, (character) => ('\n\t'.includes(character) ? character : ''));
  if (Array.isArray(value)) return value.map(cleaned);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [cleaned(key), cleaned(one)]));
}

/** JSON text with the same characters escaped: nothing is lost, and nothing reaches a terminal. */
export function escaped(json: string): string {
  return json.replace(unprintable, (character) =>
    character === '\n' ? character : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
