/** What sets and elements are made of, without a kernel. */
import fc from 'fast-check';
import { type Ipv4, ipToBytes } from 'net-types';
import { describe, expect, test } from 'vitest';
import { NFPROTO } from '../nfnetlink/header.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { fieldsOf, keyLength, NFT_DATATYPES, type NftDatatypeName, typeNumber } from './datatype.ts';
import { elementListCodec, NFT_SET_ELEM, type NftElement } from './element.ts';
import { loadFields, NFT_FIELD } from './field.ts';
import { intervalElements, type NftKeyRange, portRange } from './interval.ts';
import { elementKey, interfaceNameBytes, portBytes } from './key.ts';
import { nftSet } from './set-definition.ts';
import { NFT_SET } from './set.ts';
import { delNftElements, newNftElements } from './set-requests.ts';
import { matchInterface } from './statements.ts';
import { logToGroup } from './traffic-statements.ts';

const set = { family: NFPROTO.INET, table: 't', name: 's' };

describe('elements over several messages', () => {
  const element: fc.Arbitrary<NftElement> = fc.record(
    { key: fc.uint8Array({ maxLength: 64 }), flags: fc.nat(3), timeout: fc.bigInt(0n, 1n << 60n) },
    { requiredKeys: [] },
  );
  const sent = (elements: readonly NftElement[]): { lists: NftElement[][]; bytes: number[] } => {
    const bytes: number[] = [];
    const lists = newNftElements(set, elements).map((request) => {
      const writer = new WireWriter();
      request.writeBody(writer);
      bytes.push(writer.length);
      const list = elementListCodec.decode(new WireSource(writer.written.slice()), 0, writer.length);
      expect(list).toMatchObject({ family: NFPROTO.INET, table: 't', set: 's' });
      return [...(list.elements ?? [])];
    });
    return { lists, bytes };
  };

  test('are all there, in their order', () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 20 }), fc.integer({ min: 1, max: 400 }), (some, times) => {
        const elements = Array.from({ length: times }, () => some).flat();
        expect(sent(elements).lists.flat()).toEqual(elements);
      }),
      { numRuns: 40 },
    );
  });

  test('fill each message but the last as far as one attribute goes', () => {
    const elements = Array.from({ length: 10_000 }, (_, index) => ({ key: ipToBytes(index as Ipv4) }));
    const { lists, bytes } = sent(elements);
    // 16 bytes each, (65,535 - 4) / 16 a message.
    expect(lists.map((list) => list.length)).toEqual([4095, 4095, 1810]);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(65_535 + 24);
  });

  test('none: no message', () => {
    expect(newNftElements(set, [])).toEqual([]);
    expect(delNftElements(set, [])).toEqual([]);
  });

  test('the name of the set stands in what an error says', () => {
    expect(newNftElements(set, [{}])[0]?.operation).toBe('new nft elements of s');
    expect(delNftElements(set, [{}])[0]?.operation).toBe('delete nft elements of s');
  });
});

describe('intervals', () => {
  /** Whether the kernel would find the port: the nearest element at or below it begins an interval. */
  const contains = (elements: readonly NftElement[], port: number): boolean => {
    const below = elements.filter(({ key }) => key !== undefined && Buffer.compare(key, portBytes(port)) <= 0);
    return below.length > 0 && below.at(-1)?.flags !== NFT_SET_ELEM.INTERVAL_END;
  };
  const range: fc.Arbitrary<NftKeyRange & { from: number; to: number }> = fc
    .tuple(fc.nat(0xffff), fc.oneof(fc.constant(0), fc.nat(300), fc.nat(0xffff)))
    .map(([from, more]) => {
      const to = Math.min(0xffff, from + more);
      return { ...portRange(from, to), from, to };
    });

  test('hold what one of the ranges holds and nothing else, ascending and apart', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), fc.array(fc.nat(0xffff), { maxLength: 20 }), (ranges, more) => {
        const elements = intervalElements(ranges);
        const keys = elements.map(({ key }) => key?.toHex() ?? '');
        expect(keys).toEqual([...new Set(keys)].sort());
        const edges = ranges.flatMap(({ from, to }) => [from - 1, from, to, to + 1]);
        for (const port of [...edges, ...more].filter((edge) => edge >= 0 && edge <= 0xffff)) {
          expect(contains(elements, port)).toBe(ranges.some(({ from, to }) => from <= port && port <= to));
        }
      }),
    );
  });

  test('that overlap or touch become one', () => {
    expect(intervalElements([portRange(20, 29), portRange(10, 19), portRange(15, 24)])).toEqual([
      { key: portBytes(10) },
      { key: portBytes(30), flags: NFT_SET_ELEM.INTERVAL_END },
    ]);
  });

  test('up to the highest key have no end', () => {
    const [only, ...rest] = intervalElements([portRange(1, 0xffff), portRange(5, 6)]);
    expect(only).toMatchObject({ key: portBytes(1) });
    expect(rest).toEqual([]);
  });

  test('that end before they begin, or whose ends are of two lengths, are refused', () => {
    expect(() => intervalElements([portRange(2, 1)])).toThrow(RangeError);
    expect(() => intervalElements([{ first: Uint8Array.of(1), last: Uint8Array.of(1, 2) }])).toThrow(RangeError);
  });
});

describe('keys', () => {
  const names = Object.keys(NFT_DATATYPES) as NftDatatypeName[];
  const types = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 });

  test('are as long as their type says', () => {
    fc.assert(
      fc.property(types, (fields) => {
        const key = elementKey(...fieldsOf(fields).map(({ bytes }) => new Uint8Array(bytes).fill(1)));
        expect(key).toHaveLength(keyLength(fieldsOf(fields)));
        expect(key.reduce((sum, byte) => sum + byte, 0)).toBe(
          fieldsOf(fields).reduce((sum, { bytes }) => sum + bytes, 0),
        );
      }),
    );
  });

  test('types of five fields have different numbers', () => {
    fc.assert(
      fc.property(types, types, (a, b) => {
        expect(typeNumber(fieldsOf(a)) === typeNumber(fieldsOf(b))).toBe(a.join() === b.join());
      }),
    );
  });

  test('of no field, and of more than a number can name, are refused', () => {
    expect(() => nftSet({ ...set, key: [] })).toThrow(RangeError);
    expect(() => nftSet({ ...set, key: Array<NftDatatypeName>(6).fill('mark') })).toThrow(RangeError);
  });

  test('of an anonymous set without a number are refused', () => {
    const anonymous = { ...set, name: '__set%d', anonymous: true, key: 'mark' } as const;
    expect(() => nftSet(anonymous)).toThrow(RangeError);
    expect(nftSet({ ...anonymous, id: 2 })).toMatchObject({ id: 2, flags: NFT_SET.ANONYMOUS | NFT_SET.CONSTANT });
  });

  test('that do not fit into the registers are refused', () => {
    expect(loadFields([NFT_FIELD.iifname, NFT_FIELD.ip6Saddr, NFT_FIELD.ip6Daddr, NFT_FIELD.oifname])).toHaveLength(4);
    expect(() =>
      loadFields([NFT_FIELD.iifname, NFT_FIELD.ip6Saddr, NFT_FIELD.ip6Daddr, NFT_FIELD.ip6Saddr, NFT_FIELD.mark]),
    ).toThrow(RangeError);
    expect(() => loadFields([])).toThrow(RangeError);
  });

  test('of interfaces are names that one can have', () => {
    expect(interfaceNameBytes('cnl0').toHex()).toBe('636e6c30000000000000000000000000');
    expect(interfaceNameBytes('a'.repeat(15))).toHaveLength(16);
    for (const name of ['', 'a'.repeat(16), 'ä'.repeat(8), 'a\0b']) {
      expect(() => interfaceNameBytes(name)).toThrow(RangeError);
    }
    expect(matchInterface('iifname', 'cnl*')[1]).toMatchObject({ data: { value: new TextEncoder().encode('cnl') } });
    expect(() => matchInterface('iifname', '*')).toThrow(RangeError);
  });
});

test('a log prefix that nft could not hold is refused', () => {
  expect(logToGroup(20, { prefix: 'x'.repeat(127) })).toMatchObject({ group: 20 });
  for (const prefix of ['x'.repeat(128), 'ä'.repeat(64), 'a"b']) {
    expect(() => logToGroup(20, { prefix })).toThrow(RangeError);
  }
});
