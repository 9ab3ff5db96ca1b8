import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { chooseMac, containerIdOf } from '../../../src/core/ids.ts';
import { containerId } from '../../../src/model/names.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const vmid = fc.integer({ min: 100, max: 999_999_999 });

describe('names made from numbers', () => {
  it('a MAC is unicast, locally administered, and the same every time', () => {
    fc.assert(
      fc.property(vmid, fc.string(), fc.string(), (number, ifname, salt) => {
        const mac = chooseMac(number, ifname, salt, hash);
        assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
        assert.equal(chooseMac(number, ifname, salt, hash), mac);
      }),
    );
    assert.notEqual(chooseMac(101, 'eth0', '', hash), chooseMac(101, 'eth1', '', hash));
    assert.notEqual(chooseMac(101, 'eth0', '', hash), chooseMac(101, 'eth0', '1', hash));
  });

  it('a container id is valid for CNI and new in every life', () => {
    const one = containerIdOf('pve1', 101, 1, hash);
    assert.equal(one, hash('pve1/101/1').slice(0, 16));
    assert.ok(containerId.safeParse(one).success);
    assert.notEqual(one, containerIdOf('pve1', 101, 2, hash));
    assert.notEqual(one, containerIdOf('pve2', 101, 1, hash));
  });
});
