import assert from 'node:assert/strict';
import { createPluginRig, type PluginRig } from '../../support/scripted-plugin.ts';
import { addCases } from './cases/add.ts';
import { cacheCases } from './cases/cache.ts';
import type { Case } from './cases/case.ts';
import { configurationCases } from './cases/configuration.ts';
import { delCases } from './cases/del.ts';
import { errorCases } from './cases/errors.ts';
import { networkCases } from './cases/network.ts';
import { parameterCases } from './cases/parameters.ts';
import { requestCases } from './cases/request.ts';
import { resultCases } from './cases/results.ts';

// The rules of the CNI specification 1.1.0 against scripted plugins: executables that record what they are given.
const cases: Case[] = [
  ...configurationCases,
  ...parameterCases,
  ...addCases,
  ...requestCases,
  ...delCases,
  ...networkCases,
  ...resultCases,
  ...errorCases,
  ...cacheCases,
];

describe('CNI specification 1.1.0', () => {
  let rig: PluginRig;
  beforeEach(() => {
    rig = createPluginRig();
  });
  afterEach(() => rig.remove());

  for (const title of new Set(cases.map((one) => one.section))) {
    describe(title, () => {
      for (const one of cases.filter((other) => other.section === title)) {
        it(one.name, () => one.run(rig));
      }
    });
  }

  it('names every case once', () => {
    const names = cases.map((one) => `${one.section}: ${one.name}`);
    assert.equal(new Set(names).size, names.length);
  });
});
