import fc from 'fast-check';
import { type Cidr, cidrContains, cidrOf, compareIp, type Ip, ipAdd, ipFamily, type Ipv4, type Ipv6 } from 'net-types';
import { expect, test } from 'vitest';
import { type AddressRange, isIn, rangesOf } from './address-ranges.ts';
import { allowPeerOf, type BlockPeer } from './allow-peer.ts';

/** At both ends of each family, where the next address is none, and few bits between them. */
const ip: fc.Arbitrary<Ip> = fc
  .tuple(fc.constantFrom(4, 6), fc.boolean(), fc.nat(31))
  .map(([family, atEnd, bits]): Ip =>
    family === 4
      ? ((atEnd ? 0xffff_ffff - bits : bits) as Ipv4)
      : ((atEnd ? (1n << 128n) - 1n - BigInt(bits) : BigInt(bits)) as Ipv6),
  );
const block: fc.Arbitrary<Cidr> = fc
  .tuple(ip, fc.integer({ min: -1, max: 6 }))
  .map(([at, short]) => cidrOf(at, short === -1 ? 0 : (typeof at === 'number' ? 32 : 128) - short));
const peer = fc.record({
  type: fc.constant('block' as const),
  cidr: block,
  except: fc.array(block, { maxLength: 4 }),
});

test('ranges are what the blocks cover beside their exceptions, in order and apart', () => {
  fc.assert(
    fc.property(fc.array(peer, { maxLength: 5 }), fc.array(ip, { maxLength: 20 }), (peers, addresses) => {
      const blocks = peers
        .map((it) => allowPeerOf(it, 'a'))
        .filter((it): it is BlockPeer => it !== undefined && it.type === 'block');
      const ranges = rangesOf(blocks);
      const edges = ranges.flatMap(({ first, last }) => [first, last, ipAdd(first, -1), ipAdd(last, 1)]);
      for (const at of [...addresses, ...edges.filter((edge) => edge !== undefined)]) {
        const covered = peers.some(
          (it) => cidrContains(it.cidr, at) && !it.except.some((hole) => cidrContains(hole, at)),
        );
        const holds = ({ first, last }: AddressRange): boolean =>
          ipFamily(first) === ipFamily(at) && compareIp(first, at) <= 0 && compareIp(at, last) <= 0;
        expect(ranges.filter(holds)).toHaveLength(covered ? 1 : 0);
        expect(isIn(ranges, at)).toBe(covered);
      }
      expect(rangesOf([...blocks].reverse())).toEqual(ranges);
    }),
    { numRuns: 1000 },
  );
});
