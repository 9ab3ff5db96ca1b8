import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../../src/model/error-codes.ts';
import { PveCniError } from '../../../../src/model/errors.ts';
import type { PluginCall, PluginRig } from '../../../support/scripted-plugin.ts';

/** One rule of the CNI specification 1.1.0, `section` as its table of contents names it. */
export interface Case {
  section: string;
  name: string;
  run: (rig: PluginRig) => Promise<void> | void;
}

/** Cases of one section. */
export function section(title: string, rules: Record<string, Case['run']>): Case[] {
  return Object.entries(rules).map(([name, run]) => ({ section: title, name, run }));
}

/** The error that a promise or function ends with; it must be one of ours with that code. */
export async function refusal(work: Promise<unknown> | (() => unknown), code: ErrorCode): Promise<PveCniError> {
  const error = await Promise.resolve()
    .then(() => (typeof work === 'function' ? work() : work))
    .then(
      () => assert.fail(`expected ${code}, but it succeeded`),
      (thrown: unknown) => thrown,
    );
  assert.ok(error instanceof PveCniError, `expected ${code}, got ${error}`);
  assert.equal(error.code, code, error.message);
  return error;
}

export function callOf(rig: PluginRig, plugin: string, verb: string): PluginCall {
  const found = rig.calls().find((call) => call.plugin === plugin && call.verb === verb);
  assert.ok(found, `${plugin}:${verb} was not called, but ${rig.order()}`);
  return found;
}

/** A result that a plugin may print. */
export function result(version: string, more: object = {}): string {
  return JSON.stringify({
    cniVersion: version,
    interfaces: [{ name: 'eth0' }],
    ips: [{ address: '10.0.0.2/24', interface: 0 }],
    ...more,
  });
}
