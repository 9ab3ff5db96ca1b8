import { constructFromEvents, dump, EVENT_ID, type Event, getScalarValue, parseEvents, YAMLException } from 'js-yaml';
import { failure } from '../model/errors.ts';

/** bytes of a file */
const maxYamlBytes = 256 * 1024;
/** mappings and lists inside each other */
const maxYamlDepth = 32;
/** keys that reach an object's prototype when somebody merges or assigns them */
const refusedKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** Text of a YAML file as a plain value: one document of mappings, lists and scalars. Anchors, aliases, merge keys and
 *  tags are refused from the events of the parser, before any value is built, so an alias bomb costs one pass over its
 *  text. A file of comments only is null.
 *  @throws ConfigurationError CONFIG_SYNTAX (with line and column), CONFIG_TOO_LARGE, CONFIG_INVALID for refused keys */
export function parseYaml(text: string, file: string): unknown {
  if (Buffer.byteLength(text) > maxYamlBytes) throw tooLarge(file);
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (source.trim() === '') throw syntax(file, 'the file is empty; write it again, or remove it', { line: 1, column: 1 });
  const events = eventsOf(source, file);
  refuseWhatWeDoNotSpeak(events, source, file);
  return events.length === 0 ? null : guarded(() => constructFromEvents(events, { source }), file)[0];
}

/** A plain value as YAML, keys in the order they have: what `parseYaml` reads back as the same value. */
export function renderYaml(value: unknown): string {
  return dump(value, { noRefs: true, lineWidth: -1 });
}

/** The parser is recursive, and stops at its depth limit long before the stack ends. */
function eventsOf(source: string, file: string): Event[] {
  return guarded(() => parseEvents(source, { maxDepth: maxYamlDepth }), file);
}

function refuseWhatWeDoNotSpeak(events: readonly Event[], source: string, file: string): void {
  const refuse = (what: string, position: number) => syntax(file, what, placeOf(source, position));
  /** one entry for each open collection: whether the next node is a key (null in a list, where none is) */
  const open: (boolean | null)[] = [];
  let documents = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      open.pop();
      continue;
    }
    if (event.type === EVENT_ID.DOCUMENT) {
      documents += 1;
      if (documents > 1) throw refuse('one file holds one document; remove the second "---" and what follows', secondDocument(source));
      open.push(null);
      continue;
    }
    const isKey = open.at(-1) === true;
    const level = open.length - 1;
    if (open[level] !== null) open[level] = !isKey;
    if (event.type === EVENT_ID.ALIAS) throw refuse('aliases (*name) are not allowed; write the value out', event.anchorStart - 1);
    if (event.anchorStart >= 0) throw refuse('anchors (&name) are not allowed; write the value out', event.anchorStart - 1);
    if (event.tagStart >= 0) throw refuse('tags (!name) are not allowed; remove it', event.tagStart);
    if (event.type !== EVENT_ID.SCALAR) {
      if (isKey) throw refuse('a key must be a plain name', event.start);
      open.push(event.type === EVENT_ID.MAPPING ? true : null);
    } else if (isKey) refuseKey(getScalarValue(source, event), event.valueStart, source, file);
  }
}

function refuseKey(key: string, position: number, source: string, file: string): void {
  if (key !== '<<' && !refusedKeys.has(key)) return;
  const place = placeOf(source, position);
  if (key === '<<') throw syntax(file, 'merge keys (<<) are not allowed; write the keys out', place);
  throw failure('CONFIG_INVALID', `${file}:${place.line}:${place.column}: the key ${key} is not allowed; remove it`, {
    path: file,
    field: key,
    ...place,
  });
}

/** Where the second document begins: a line of its own, as its event has no position. */
function secondDocument(source: string): number {
  const marks = [...source.matchAll(/^(---|\.\.\.)(?=\s|$)/gm)].map((mark) => mark.index);
  return (source.slice(0, marks[0]).trim() === '' ? marks[1] : marks[0]) ?? 0;
}

interface Place {
  line: number;
  column: number;
}

function placeOf(source: string, position: number): Place {
  const before = source.slice(0, Math.max(0, position)).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** js-yaml's documentation asks to catch every exception, not only its own. */
function guarded<T>(work: () => T, file: string): T {
  try {
    return work();
  } catch (error) {
    const known = error instanceof YAMLException ? error : null;
    // the only error of the library that is about a limit has no class of its own
    if (known?.reason.includes('maxDepth')) throw tooLarge(file, `nested deeper than ${maxYamlDepth} levels`);
    const place = known?.mark && { line: known.mark.line + 1, column: known.mark.column + 1 };
    throw syntax(file, known?.reason ?? 'it cannot be parsed', place ?? { line: 1, column: 1 }, error);
  }
}

function syntax(file: string, why: string, { line, column }: Place, cause?: unknown) {
  return failure('CONFIG_SYNTAX', `${file}:${line}:${column} is not valid YAML: ${why}`, { path: file, line, column }, cause);
}

/** CONFIG_TOO_LARGE of a file; larger than the limit in bytes when nothing else is said. */
function tooLarge(file: string, why = `larger than ${maxYamlBytes} bytes`) {
  return failure('CONFIG_TOO_LARGE', `${file} is ${why}`, { path: file });
}
