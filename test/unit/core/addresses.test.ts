import assert from 'node:assert/strict';
import * as url from 'node:url';
import fc from 'fast-check';
import { capacity, chooseAddress, isUsable, subnetContains, subnetsOverlap, usableRange } from '../../../src/core/addresses.ts';
import { canonicalIp, formatIp, parseCidr, parseIp } from '../../../src/core/ip.ts';

const nobody = new Set<string>();
const ip = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4 as const, value })),
  fc.bigInt(0n, 2n ** 128n - 1n).map((value) => ({ family: 6 as const, value })),
  // many zeros, as real IPv6 addresses have them
  fc
    .array(fc.constantFrom<bigint[]>(0n, 0n, 1n, 0xfd00n, 0xffffn), { minLength: 8, maxLength: 8 })
    .map((groups) => ({ family: 6 as const, value: groups.reduce((sum, group) => sum * 65536n + group, 0n) })),
);

describe('IP addresses', () => {
  it('parse what they print, and print one text for each value', () => {
    fc.assert(
      fc.property(ip, (one) => {
        const text = formatIp(one);
        assert.deepEqual(parseIp(text), one);
        assert.equal(canonicalIp(text.toUpperCase()), text);
        if (one.family === 6) assert.equal(text, new url.URL(`http://[${text}]`).hostname.slice(1, -1));
      }),
      { numRuns: 500 },
    );
  });

  it('print IPv6 as RFC 5952 wants it', () => {
    const texts = {
      'FD00:0:0:1:0:0:0:1': 'fd00:0:0:1::1',
      '0:0:0:0:0:0:0:0': '::',
      '1:0:0:2:0:0:3:4': '1::2:0:0:3:4',
      '1:0:2:3:4:5:6:7': '1:0:2:3:4:5:6:7',
    };
    for (const [given, wanted] of Object.entries(texts)) assert.equal(canonicalIp(given), wanted);
  });

  it('refuse what is not an address', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.256',
      '010.1.1.1',
      '1.2.3.4 ',
      '0x1.2.3.4',
      '1::2::3',
      ':::',
      '12345::',
      'fe80::1%eth0',
      '../x',
      '1.2.3.4\n',
    ])
      assert.equal(parseIp(text), null, JSON.stringify(text));
    for (const text of ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/1/2', '10.0.0.0/01', '10.0.0.0/-1'])
      assert.equal(parseCidr(text), null, text);
  });
});

describe('what a subnet can give', () => {
  const cases: [string, Parameters<typeof capacity>[0], bigint, string | null][] = [
    ['a /24 without network and broadcast', { cidr: '10.20.0.0/24' }, 254n, '10.20.0.1'],
    ['a gateway is not given', { cidr: '10.20.0.0/24', gateway: '10.20.0.1' }, 253n, '10.20.0.2'],
    ['a /30 has two hosts', { cidr: '10.20.0.0/30' }, 2n, '10.20.0.1'],
    ['both addresses of a /31 (RFC 3021)', { cidr: '10.20.0.0/31' }, 2n, '10.20.0.0'],
    ['a /32 is one host', { cidr: '10.20.0.7/32' }, 1n, '10.20.0.7'],
    ['a /32 that is the gateway gives nothing', { cidr: '10.20.0.7/32', gateway: '10.20.0.7' }, 0n, null],
    ['bits behind the prefix do not matter', { cidr: '10.20.0.77/24' }, 254n, '10.20.0.1'],
    ['a range limits', { cidr: '10.20.0.0/24', range: '10.20.0.10-10.20.0.12' }, 3n, '10.20.0.10'],
    [
      'a gateway outside the range costs nothing',
      { cidr: '10.20.0.0/24', gateway: '10.20.0.1', range: '10.20.0.10-10.20.0.12' },
      3n,
      '10.20.0.10',
    ],
    [
      'a gateway inside the range is skipped',
      { cidr: '10.20.0.0/24', gateway: '10.20.0.10', range: '10.20.0.10-10.20.0.12' },
      2n,
      '10.20.0.11',
    ],
    ['a range beyond the subnet is cut', { cidr: '10.20.0.0/30', range: '10.19.0.0-10.21.0.0' }, 2n, '10.20.0.1'],
    ['a range outside the subnet gives nothing', { cidr: '10.20.0.0/30', range: '10.21.0.1-10.21.0.9' }, 0n, null],
    ['an IPv6 subnet without the router anycast address', { cidr: 'fd00:20::/64' }, 2n ** 64n - 1n, 'fd00:20::1'],
    ['both addresses of a /127 (RFC 6164)', { cidr: 'fd00:20::/127' }, 2n, 'fd00:20::'],
    ['a /128 is one host', { cidr: 'fd00:20::9/128' }, 1n, 'fd00:20::9'],
    ['the whole of IPv4', { cidr: '0.0.0.0/0' }, 2n ** 32n - 2n, '0.0.0.1'],
  ];
  for (const [name, subnet, size, first] of cases)
    it(name, () => {
      assert.equal(capacity(subnet), size);
      assert.equal(chooseAddress(subnet, nobody), first);
    });

  it('gives every address of its range once, lowest first, and then none', () => {
    const subnet = fc
      .record({ base: fc.bigInt(0n, 2n ** 32n - 1n), six: fc.boolean(), hostBits: fc.integer({ min: 0, max: 9 }), gateway: fc.nat(511) })
      .map(({ base, six, hostBits, gateway }) => {
        const family = six ? (6 as const) : (4 as const);
        const address = formatIp({ family, value: six ? base << 60n : base });
        const cidr = `${address}/${(six ? 128 : 32) - hostBits}`;
        const first = parseCidr(cidr)?.first ?? 0n;
        return { cidr, gateway: formatIp({ family, value: first + (BigInt(gateway) & ((1n << BigInt(hostBits)) - 1n)) }) };
      });
    fc.assert(
      fc.property(subnet, (one) => {
        const taken = new Set<string>();
        let before = -1n;
        for (let address = chooseAddress(one, taken); address; address = chooseAddress(one, taken, address)) {
          const value = parseIp(address)?.value ?? -1n;
          assert.ok(value > before && !taken.has(address) && isUsable(one, address) && subnetContains(one, address));
          before = value;
          taken.add(address);
        }
        assert.equal(BigInt(taken.size), capacity(one));
        assert.ok(!taken.has(one.gateway));
      }),
      { numRuns: 100 },
    );
  });

  it('finds the same address whether it asks for each or marks all', () => {
    const subnet = { cidr: '10.20.0.0/19', gateway: '10.20.0.1' };
    const all: string[] = [];
    for (let value = usableRange(subnet).first; value <= usableRange(subnet).last; value++) all.push(formatIp({ family: 4, value }));
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(all.length - 1), { maxLength: 30 }), (holes) => {
        const taken = new Set(all);
        for (const hole of holes) taken.delete(all[hole] as string);
        for (const stranger of ['fd00::1', '10.19.255.255', '192.168.0.1']) taken.add(stranger);
        assert.equal(chooseAddress(subnet, taken), chooseAddress(subnet, { has: (address) => taken.has(address) }));
      }),
      { numRuns: 50 },
    );
  });

  it('lets a person choose outside the range, but no address that is not a host’s', () => {
    const subnet = { cidr: '10.20.0.0/24', gateway: '10.20.0.1', range: '10.20.0.10-10.20.0.12' };
    assert.ok(isUsable(subnet, '10.20.0.200'));
    for (const address of ['10.20.0.0', '10.20.0.255', '10.20.0.1', '10.20.1.9', 'fd00::1', 'x'])
      assert.ok(!isUsable(subnet, address), address);
  });

  it('knows overlapping subnets', () => {
    assert.ok(subnetsOverlap({ cidr: '10.0.0.0/8' }, { cidr: '10.20.0.0/24' }));
    assert.ok(subnetsOverlap({ cidr: 'fd00:20::/64' }, { cidr: 'fd00:20::/64' }));
    assert.ok(!subnetsOverlap({ cidr: '10.0.0.0/24' }, { cidr: '10.0.1.0/24' }));
    assert.ok(!subnetsOverlap({ cidr: '0.0.0.0/0' }, { cidr: '::/0' }));
  });
});

describe('a choice where nearly everything is taken', () => {
  const full = new Set<string>();
  before(() => {
    for (let host = 1; host < 65535; host++) full.add(`10.20.${host >> 8}.${host & 255}`);
  });
  // a choice that formatted every address would ask as often as there are addresses
  const asked = (taken: ReadonlySet<string>) => {
    let questions = 0;
    const counting = {
      size: taken.size,
      has: (address: string) => {
        questions += 1;
        return taken.has(address);
      },
      [Symbol.iterator]: () => taken[Symbol.iterator](),
    };
    return { counting, questions: () => questions };
  };

  it('finds nothing in a full /16, and the last address of one that has only that', () => {
    assert.equal(chooseAddress({ cidr: '10.20.0.0/16' }, full), null);
    const nearly = new Set(full);
    nearly.delete('10.20.255.254');
    const { counting, questions } = asked(nearly);
    assert.equal(chooseAddress({ cidr: '10.20.0.0/16' }, counting), '10.20.255.254');
    assert.ok(questions() < 100, `${questions()} questions`);
  });

  it('finds the first free one of an IPv6 /64 with 10,000 taken', () => {
    const taken = new Set<string>();
    for (let host = 1; host <= 10_000; host++) taken.add(`fd00:20::${host.toString(16)}`);
    const { counting, questions } = asked(taken);
    assert.equal(chooseAddress({ cidr: 'fd00:20::/64' }, counting), 'fd00:20::2711');
    assert.ok(questions() <= 10_100, `${questions()} questions`);
  });
});
