import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';

// Who may know whom (docs/architecture.md). A room is a folder of src/, or a file directly below it, or hookscripts/.

/** room → other rooms that it may import, types included */
const allowed: Record<string, readonly string[]> = {
  model: [],
  core: ['model'],
  host: ['model'],
  state: ['model', 'core', 'host'], // core's arithmetic of addresses: a reservation is chosen and taken in one go
  cni: ['model', 'host'],
  networks: ['model', 'core', 'host', 'datapath'], // a network type says what the datapath is to make for it
  datapath: ['model', 'core', 'host'],
  policy: ['model', 'core', 'host'],
  cilium: ['model', 'core', 'host'],
  proxmox: ['model', 'core', 'host'],
  dns: ['model', 'core', 'host'],
  config: ['model', 'core', 'host', 'networks', 'cni'],
  observe: ['model', 'host'],
  manager: ['model', 'core', 'host', 'state', 'cni', 'networks', 'datapath', 'policy', 'cilium', 'proxmox', 'dns', 'config', 'observe'],
  http: ['model', 'manager', 'observe'],
  main: [
    'model',
    'core',
    'host',
    'state',
    'cni',
    'networks',
    'datapath',
    'policy',
    'cilium',
    'proxmox',
    'dns',
    'config',
    'observe',
    'manager',
    'http',
  ],
  cli: ['model'],
  hookscripts: ['model'],
};

/** module → rooms that may import it */
const reserved: Record<string, readonly string[]> = {
  'node:child_process': ['host'],
  execa: [], // for tests
  'better-sqlite3': ['state'],
  express: ['http'],
  'prom-client': ['observe'],
  pino: ['observe'],
};

/** rooms that decide or describe, and so import no module of Node */
const pure = ['model', 'core'];

describe('imports', () => {
  const files = ['src', 'hookscripts'].flatMap(sourcesBelow);

  it('go only in the allowed directions between the rooms', () => {
    assert.ok(files.length > 0);
    assert.deepEqual(
      files.flatMap((file) => violations(file, readFileSync(file, 'utf8'))),
      [],
    );
  });

  const cases: [string, string, string][] = [
    ['an import of a forbidden room', 'src/core/a.ts', `import { x } from '../state/store.ts';`],
    ['a type import', 'src/model/a.ts', `import type { X } from '../core/plan.ts';`],
    ['a re-export', 'src/cni/a.ts', `export { x } from '../manager/manager.ts';`],
    ['an import over several lines', 'src/host/a.ts', `import {\n  one,\n  two,\n} from '../cni/runtime.ts';`],
    ['a dynamic import', 'src/cli/a.ts', `const x = await import('../http/server.ts');`],
    ['a dynamic import that cannot be read', 'src/manager/a.ts', 'const x = await import(name);'],
    ['a require', 'hookscripts/a.ts', `const x = require('../src/host/run.ts');`],
    ['a side-effect import', 'src/http/a.ts', `import '../cni/runtime.ts';`],
    ['a builtin in a pure room', 'src/core/a.ts', `import { join } from 'node:path';`],
    ['a builtin without its prefix', 'src/model/a.ts', `import fs from 'fs/promises';`],
    ['a process started elsewhere', 'src/manager/a.ts', `import { spawn } from 'child_process';`],
    ['SQL elsewhere', 'src/manager/a.ts', `import Database from 'better-sqlite3';`],
    ['Express elsewhere', 'src/main.ts', `import express from 'express';`],
    ['a deep import of a reserved package', 'src/main.ts', `import x from 'express/lib/router';`],
    ['a room that is not in the table', 'src/utils/a.ts', ''],
    ['an import from outside the sources', 'src/host/a.ts', `import x from '../../test/support/x.ts';`],
  ];
  for (const [name, file, text] of cases)
    it(`finds ${name}`, () => assert.equal(violations(file, text).length, 1, JSON.stringify(violations(file, text))));

  it('finds nothing wrong in what is allowed', () => {
    const text = `import { z } from 'zod';\nimport { readFile } from 'node:fs/promises';\nimport type { Life } from '../model/attachment.ts';\nexport * from './other.ts';\n`;
    assert.deepEqual(violations('src/state/a.ts', text), []);
  });
});

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function violations(file: string, text: string): string[] {
  const room = roomOf(file);
  if (!allowed[room]) return [`${file}: the room ${room} is not in the table`];
  return importsOf(text).flatMap((name) => {
    const wrong = objection(file, room, name);
    return wrong ? [`${file} imports ${name}: ${wrong}`] : [];
  });
}

function objection(file: string, room: string, name: string): string | undefined {
  if (name === '') return 'a dynamic import must name its module as a literal';
  if (name.startsWith('.')) {
    const target = normalize(join(dirname(file), name));
    if (!/^(src|hookscripts)\//.test(target)) return 'it is outside the sources';
    const other = roomOf(target);
    return other === room || allowed[room]?.includes(other) ? undefined : `${room} may not know ${other}`;
  }
  const builtin = name.startsWith('node:') || builtinModules.includes(name);
  if (builtin && pure.includes(room)) return `${room} imports no module of Node`;
  const module = builtin ? `node:${name.replace(/^node:/, '')}` : packageOf(name);
  const owners = reserved[module];
  return owners && !owners.includes(room) ? `only ${owners.join(' and ')} may` : undefined;
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

function roomOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}

/** What a source imports; '' for an import whose module is computed. */
function importsOf(text: string): string[] {
  const statements = text.matchAll(/^\s*(?:import|export)\b[^'"`]*?\bfrom\s*['"]([^'"]+)['"]/gm);
  const sideEffects = text.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm);
  const calls = text.matchAll(/\b(?:import|require)\(\s*(?:['"]([^'"]+)['"])?/g);
  return [...statements, ...sideEffects, ...calls].map((match) => match[1] ?? '');
}
