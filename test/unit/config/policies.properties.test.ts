import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePolicy } from '../../../src/config/policies.ts';
import { renderYaml } from '../../../src/config/yaml.ts';
import { anyPolicy } from '../../support/policies.ts';

describe('policies, properties', () => {
  it('every policy that keeps to the fields is read', () => {
    fc.assert(
      fc.property(anyPolicy({ dns: true }), (object) => {
        const policy = parsePolicy(renderYaml(object), 'policies/p.yaml');
        assert.equal(policy.name, object.metadata.name);
        assert.ok(policy.rules.length > 0);
      }),
      { numRuns: 300 },
    );
  });

  it('an unknown key anywhere is refused with its place', () => {
    fc.assert(
      fc.property(anyPolicy(), fc.nat(), (object, seed) => {
        const copy = JSON.parse(JSON.stringify(object)) as object; // constants of the generator are shared
        const places = mappingsOf(copy, '');
        const { place, value } = places[seed % places.length] as (typeof places)[number];
        value.zzUnknown = 1;
        assert.throws(
          () => parsePolicy(renderYaml(copy), 'policies/p.yaml'),
          (error: Error) => error.message.includes(place === '' ? 'zzUnknown' : `${place}.zzUnknown`),
          place,
        );
      }),
      { numRuns: 300 },
    );
  });
});

/** Every mapping of fields in an object with its path; labels and the like are mappings of names, not of fields. */
function mappingsOf(value: unknown, place: string): { place: string; value: Record<string, unknown> }[] {
  if (Array.isArray(value)) return value.flatMap((inner, index) => mappingsOf(inner, `${place}[${index}]`));
  if (typeof value !== 'object' || value === null || /(matchLabels|labels|annotations)$/.test(place)) return [];
  const own = { place, value: value as Record<string, unknown> };
  return [own, ...Object.entries(value).flatMap(([key, inner]) => mappingsOf(inner, place === '' ? key : `${place}.${key}`))];
}
