import assert from 'node:assert/strict';
import { selects } from '../../../src/core/selectors.ts';
import type { LabelSelector } from '../../../src/model/selector.ts';

const labels = { type: 'container', app: 'web', 'tag/db': 'true' };

describe('selectors', () => {
  const expression = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', values?: string[]): LabelSelector => ({
    matchExpressions: [{ key, operator, ...(values && { values }) }],
  });
  const cases: [string, LabelSelector, boolean][] = [
    ['an empty one selects every container', {}, true],
    ['a label that is there', { matchLabels: { app: 'web' } }, true],
    ['with its source', { matchLabels: { 'k8s:app': 'web', 'any:type': 'container' } }, true],
    ['a prefix is part of a key', { matchLabels: { 'tag/db': 'true' } }, true],
    ['another value', { matchLabels: { app: 'db' } }, false],
    ['one of two', { matchLabels: { app: 'web', tier: 'front' } }, false],
    ['the namespace that all are in', { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'default' } }, true],
    ['In', expression('app', 'In', ['db', 'web']), true],
    ['In without the label', expression('tier', 'In', ['x']), false],
    ['NotIn', expression('app', 'NotIn', ['web']), false],
    ['NotIn without the label', expression('tier', 'NotIn', ['x']), true],
    ['Exists', expression('app', 'Exists'), true],
    ['DoesNotExist', expression('app', 'DoesNotExist'), false],
    ['what every object of JavaScript has is no label', expression('constructor', 'Exists'), false],
    ['nor is its absence missed', expression('toString', 'DoesNotExist'), true],
    ['labels and conditions both', { matchLabels: { app: 'web' }, ...expression('tier', 'Exists') }, false],
  ];
  for (const [name, selector, expected] of cases) it(name, () => assert.equal(selects(selector, labels), expected));
});
