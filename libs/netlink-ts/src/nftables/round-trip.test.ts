/** decode(encode(x)) = x for every object, and nothing but a DecodeError from broken bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../wire/decode-error.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { type NftChain, chainCodec } from './chain.ts';
import { generationCodec, type NftGeneration } from './generation.ts';
import { elementListCodec, type NftElement, type NftElementList } from './element.ts';
import { decodeNftEvent } from './events.ts';
import { type NftObject, nftObjectCodec } from './object.ts';
import { type NftRule, ruleCodec } from './rule.ts';
import { type NftSet, setCodec } from './set.ts';
import { type NftTable, tableCodec } from './table.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const s32 = fc.integer();
const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const bytes = fc.uint8Array({ maxLength: 40 });
const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,30}$/);
const header = { family: u8, version: u8, resourceId: fc.nat(0xffff) };
const HEADER_KEYS = ['family', 'version', 'resourceId'] as const;

/** Types above all that the kernel has named so far. */
const unknown = fc.array(fc.record({ type: fc.integer({ min: 100, max: 0x3fff }), bytes }), {
  minLength: 1,
  maxLength: 3,
});

type Model = Readonly<Record<string, fc.Arbitrary<unknown>>>;
/** An arbitrary for each key of the object, so that none is forgotten. */
type ModelOf<T> = { readonly [K in keyof T]-?: fc.Arbitrary<unknown> };

/** Each key may be missing, those of the header excepted. */
function objectOf(model: Model): fc.Arbitrary<unknown> {
  return fc.record(model, { requiredKeys: [...HEADER_KEYS] });
}

/** Attributes of a nest, each of which may be missing. */
function part(model: Model, type?: string): fc.Arbitrary<object> {
  const fields = fc.record({ ...model, unknown }, { requiredKeys: [] });
  return type === undefined ? fields : fields.map((value) => ({ ...value, type }));
}

const verdict = part({ code: s32, chain: name, chainId: u32 });
const data = part({ value: bytes, verdict });

const EXPRESSIONS: Record<string, Model> = {
  bitwise: { sreg: u32, dreg: u32, length: u32, op: u32, mask: data, xor: data, data },
  byteorder: { sreg: u32, dreg: u32, op: u32, length: u32, size: u32 },
  cmp: { sreg: u32, op: u32, data },
  counter: { bytes: u64, packets: u64 },
  ct: { dreg: u32, key: u32, direction: u8, sreg: u32 },
  dynset: { set: name, setId: u32, op: u32, sregKey: u32, sregData: u32, timeout: u64, flags: u32 },
  exthdr: { dreg: u32, header: u8, offset: u32, length: u32, flags: u32, op: u32, sreg: u32 },
  fib: { dreg: u32, result: u32, flags: u32 },
  immediate: { dreg: u32, data },
  limit: { rate: u64, unit: u64, burst: u32, limitType: u32, flags: u32 },
  log: { group: u16, prefix: name, snapLength: u32, queueThreshold: u16, level: u32, flags: u32 },
  lookup: { set: name, sreg: u32, dreg: u32, setId: u32, flags: u32 },
  masq: { flags: u32, portMinReg: u32, portMaxReg: u32 },
  match: { extension: name, revision: u32, info: bytes },
  meta: { dreg: u32, key: u32, sreg: u32 },
  notrack: {},
  numgen: { dreg: u32, modulus: u32, generator: u32, offset: u32 },
  objref: { objectType: u32, object: name, sreg: u32, set: name, setId: u32 },
  payload: {
    dreg: u32,
    base: u32,
    offset: u32,
    length: u32,
    sreg: u32,
    checksumType: u32,
    checksumOffset: u32,
    checksumFlags: u32,
  },
  range: { sreg: u32, op: u32, from: data, to: data },
  reject: { rejectType: u32, icmpCode: u8 },
  target: { extension: name, revision: u32, info: bytes },
};

const other = fc.record({
  type: fc.constant('other'),
  name: name.filter((text) => !Object.hasOwn(EXPRESSIONS, text)),
  attributes: fc.array(fc.record({ type: fc.nat(0x3fff), bytes }), { maxLength: 3 }),
});
const expression = fc.oneof(other, ...Object.entries(EXPRESSIONS).map(([type, model]) => part(model, type)));

const table = objectOf({
  ...header,
  name,
  flags: u32,
  use: u32,
  handle: u64,
  userData: bytes,
  owner: u32,
  unknown,
} satisfies ModelOf<NftTable>);
const chain = objectOf({
  ...header,
  table: name,
  handle: u64,
  name,
  hook: part({ number: u32, priority: s32, device: name, devices: fc.array(name, { maxLength: 3 }) }),
  policy: u32,
  use: u32,
  type: name,
  counters: part({ bytes: u64, packets: u64 }),
  flags: u32,
  id: u32,
  userData: bytes,
  unknown,
} satisfies ModelOf<NftChain>);
const rule = objectOf({
  ...header,
  table: name,
  chain: name,
  handle: u64,
  expressions: fc.array(expression, { maxLength: 6 }),
  compat: part({ protocol: u32, flags: u32 }),
  position: u64,
  userData: bytes,
  id: u32,
  positionId: u32,
  chainId: u32,
  unknown,
} satisfies ModelOf<NftRule>);
const set = objectOf({
  ...header,
  table: name,
  name,
  flags: u32,
  keyType: u32,
  keyLength: u32,
  dataType: u32,
  dataLength: u32,
  policy: u32,
  description: part({ size: u32, fields: fc.array(part({ length: u32 }), { maxLength: 5 }) }),
  id: u32,
  timeout: u64,
  gcInterval: u32,
  userData: bytes,
  objectType: u32,
  handle: u64,
  expression,
  expressions: fc.array(expression, { maxLength: 3 }),
  backend: name,
  count: u32,
  unknown,
} satisfies ModelOf<NftSet>);
const element = part({
  key: bytes,
  keyEnd: bytes,
  data,
  flags: u32,
  timeout: u64,
  expiration: u64,
  userData: bytes,
  expression,
  object: name,
  expressions: fc.array(expression, { maxLength: 2 }),
} satisfies ModelOf<Omit<NftElement, 'unknown'>>);
const elements = objectOf({
  ...header,
  table: name,
  set: name,
  setId: u32,
  elements: fc.array(element, { maxLength: 5 }),
  unknown,
} satisfies ModelOf<NftElementList>);
const object = objectOf({
  ...header,
  table: name,
  name,
  objectType: u32,
  data: bytes,
  use: u32,
  handle: u64,
  userData: bytes,
  unknown,
} satisfies ModelOf<NftObject>);
const generation = objectOf({
  ...header,
  id: u32,
  processId: u32,
  processName: name,
  unknown,
} satisfies ModelOf<NftGeneration>);

interface AnyCodec {
  encode(writer: WireWriter, value: unknown): void;
  decode(source: WireSource, start: number, end: number): unknown;
}

const OBJECTS: readonly { what: string; codec: AnyCodec; values: fc.Arbitrary<unknown> }[] = [
  { what: 'table', codec: tableCodec, values: table },
  { what: 'chain', codec: chainCodec, values: chain },
  { what: 'rule', codec: ruleCodec, values: rule },
  { what: 'set', codec: setCodec, values: set },
  { what: 'list of elements', codec: elementListCodec, values: elements },
  { what: 'stateful object', codec: nftObjectCodec, values: object },
  { what: 'generation', codec: generationCodec, values: generation },
];

describe.each(OBJECTS)('a $what', ({ codec, values }) => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytesOf = encode(codec, value);
        expect(codec.decode(new WireSource(bytesOf), 0, bytesOf.length)).toEqual(value);
      }),
    );
  });

  test('that is cut off or damaged gives a DecodeError or another object, nothing else', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(), u8, (value, cut, at, byte) => {
        const whole = encode(codec, value);
        const damaged = whole.slice(0, cut % (whole.length + 1));
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        expectDecodeErrorAtMost(() => codec.decode(new WireSource(damaged), 0, damaged.length));
      }),
    );
  });
});

test('random bytes give no event or a DecodeError', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.uint8Array({ maxLength: 120 }), (message, payload) => {
      const source = new WireSource(payload);
      const frame = { type: 0x0a00 | message, flags: 0, sequence: 0, portId: 0, source };
      expectDecodeErrorAtMost(() => decodeNftEvent({ ...frame, payloadStart: 0, payloadEnd: payload.length }));
    }),
  );
});

test('every expression that has a codec is among those above', async () => {
  const { KNOWN_NFT_EXPRESSIONS } = await import('./expression/expression.ts');
  expect(Object.keys(EXPRESSIONS).sort()).toEqual([...KNOWN_NFT_EXPRESSIONS].sort());
});

function encode(codec: AnyCodec, value: unknown): Uint8Array {
  const writer = new WireWriter();
  codec.encode(writer, value);
  return writer.written.slice();
}

function expectDecodeErrorAtMost(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
  }
}
