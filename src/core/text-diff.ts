/** lines of context around a change */
const context = 3;
/** with more pairs of lines than this between the first change and the last, all of them count as changed */
const mostPairs = 4_000_000;

interface Line {
  sign: ' ' | '-' | '+';
  text: string;
}

/** A unified diff of two texts, as `diff -u` writes it, with the names in its head; '' when they are equal. */
export function unifiedDiff(before: string, after: string, names: { before: string; after: string }): string {
  if (before === after) return '';
  const lines = changes(linesOf(before), linesOf(after));
  const hunks = hunksOf(lines).map((hunk) => render(lines, hunk));
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks.flat(), ''].join('\n');
}

/** The text of a line without its end: whether the last one has an end is no change worth telling. */
function linesOf(text: string): string[] {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

function changes(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const same = (text: string): Line => ({ sign: ' ', text });
  return [
    ...before.slice(0, start).map(same),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

/** By the longest common subsequence. */
function middle(before: readonly string[], after: readonly string[]): Line[] {
  const removed = (text: string): Line => ({ sign: '-', text });
  const added = (text: string): Line => ({ sign: '+', text });
  const width = after.length + 1;
  if (before.length * after.length > mostPairs) return [...before.map(removed), ...after.map(added)];
  // length of what is common from (i, j) on
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    const [old, text] = [before[i] ?? '', after[j] ?? ''];
    if (old === text) {
      lines.push({ sign: ' ', text });
      [i, j] = [i + 1, j + 1];
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push(removed(old));
      i += 1;
    } else {
      lines.push(added(text));
      j += 1;
    }
  }
  return [...lines, ...before.slice(i).map(removed), ...after.slice(j).map(added)];
}

/** From and to, in lines: changes that share their context are one hunk. */
function hunksOf(lines: readonly Line[]): { from: number; to: number }[] {
  const hunks: { from: number; to: number }[] = [];
  lines.forEach(({ sign }, index) => {
    if (sign === ' ') return;
    const last = hunks.at(-1);
    const [from, to] = [Math.max(0, index - context), Math.min(lines.length, index + context + 1)];
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  });
  return hunks;
}

function render(lines: readonly Line[], { from, to }: { from: number; to: number }): string[] {
  const count = (part: readonly Line[], sign: '-' | '+') => part.filter((line) => line.sign === ' ' || line.sign === sign).length;
  const [above, own] = [lines.slice(0, from), lines.slice(from, to)];
  const place = (sign: '-' | '+') => {
    const length = count(own, sign);
    return `${count(above, sign) + (length > 0 ? 1 : 0)},${length}`;
  };
  return [`@@ -${place('-')} +${place('+')} @@`, ...own.map(({ sign, text }) => sign + text)];
}
