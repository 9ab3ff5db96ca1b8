import { readFileSync } from 'node:fs';
import { compileFunction } from 'node:vm';

/** A singleton of the panel without ExtJS and a page: for classes that only calculate. */
// biome-ignore lint/suspicious/noExplicitAny: the panel is plain JavaScript
export function singleton(file: string): any {
  let found: unknown;
  // ExtJS' define in short: the class is the object that it is given
  const define = (_name: string, body: unknown) => {
    found = body;
  };
  compileFunction(readFileSync(`pve-ui/js/${file}`, 'utf8'), ['Ext'])({ define });
  return found;
}
