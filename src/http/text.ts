import type { TextAnswer } from './route.ts';

/** Lines as a text/plain answer. What plugins, files and names put into a line cannot make another one. */
export function plainText(lines: readonly string[]): TextAnswer {
  const text = lines.map((line) => `${line.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()}\n`).join('');
  return { contentType: 'text/plain; charset=utf-8', text };
}
