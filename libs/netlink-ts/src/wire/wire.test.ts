import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attribute, attributeTable, list, nested } from './attribute-table.ts';
import { NLA_F_NESTED } from './attribute-codec.ts';
import { DecodeError } from './decode-error.ts';
import { forEachMessage, type MessageFrame } from './message.ts';
import { be16, bool8, cstring, flag, u16, u32, u8 } from './scalars.ts';
import { struct, u32At, u8At } from './struct.ts';
import { WireSource } from './wire-source.ts';
import { WireWriter } from './wire-writer.ts';

const hexOf = (writer: WireWriter): string => Buffer.from(writer.written).toString('hex');
const source = (hex: string): WireSource => new WireSource(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** The error that decoding throws, or a failure of the test. */
function decodeErrorOf(decode: () => unknown): DecodeError {
  try {
    decode();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error('no DecodeError was thrown');
}

describe('WireWriter', () => {
  test('lengths are patched in and padding is zero, also in a buffer that was used before', () => {
    const writer = new WireWriter(8);
    writer.bytes(new Uint8Array(64).fill(0xff));
    writer.reset();
    const message = writer.beginMessage(0x10, 0x5, 7);
    const outer = writer.beginAttribute(0x8012);
    const inner = writer.beginAttribute(1);
    writer.text('veth');
    writer.u8(0);
    writer.endAttribute(inner);
    writer.endAttribute(outer);
    writer.endMessage(message);
    expect(hexOf(writer)).toBe(
      ['20000000', '1000', '0500', '07000000', '00000000', '1000', '1280', '0900', '0100', '7665746800', '000000'].join(
        '',
      ),
    );
  });

  test('an attribute that no length field can describe is refused', () => {
    const writer = new WireWriter();
    const mark = writer.beginAttribute(1);
    writer.zeros(65_532);
    expect(() => writer.endAttribute(mark)).toThrow(RangeError);
  });

  test('any sequence of writes survives the growth of the buffer', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
        const writer = new WireWriter(1);
        for (const piece of pieces) writer.bytes(piece);
        expect(Buffer.from(writer.written)).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  test('text of any script is UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const writer = new WireWriter(4);
        writer.text(text);
        expect(Buffer.from(writer.written).toString()).toBe(text);
      }),
    );
  });
});

const innerTable = attributeTable({ port: attribute(1, be16), names: attribute(2, list(9, cstring)) });
const table = attributeTable({
  small: attribute(1, u8),
  wide: attribute(2, u32),
  yes: attribute(3, flag),
  on: attribute(4, bool8),
  inner: attribute(5, nested(innerTable)),
  pair: attribute(6, struct(8, { kind: u8At(0), value: u32At(4) }, 4)),
  half: attribute(7, u16),
});

describe('attribute tables', () => {
  const full = {
    small: 7,
    wide: 0xdeadbeef,
    yes: true as const,
    on: false,
    inner: { port: 0x2118, names: ['a', 'bc'] },
    pair: { kind: 1, value: 2 },
    half: 3,
    unknown: [{ type: 0x4063, bytes: Uint8Array.of(1, 2, 3) }],
  };

  test('what is written is read again', () => {
    const writer = new WireWriter();
    table.encode(writer, full);
    expect(table.decode(new WireSource(writer.written), 0, writer.length)).toEqual(full);
  });

  test('nests carry the nested flag, big-endian values are big-endian', () => {
    const writer = new WireWriter();
    table.encode(writer, { inner: { port: 0x2118, names: ['a'] } });
    expect(hexOf(writer)).toBe('18000580' + '060001002118' + '0000' + '0c000280' + '060009006100' + '0000');
  });

  test('the last of two equal types counts, as in the kernel', () => {
    expect(table.decode(source('0500010001000000 0500010002000000'), 0, 16)).toEqual({ small: 2 });
  });

  test('flag bits of the type do not matter for finding it, and are kept for unknown ones', () => {
    const read = table.decode(source('0500018001000000 0400ff80'), 0, 12);
    expect(read).toEqual({ small: 1, unknown: [{ type: 0x80ff, bytes: new Uint8Array(0) }] });
  });

  test('the padding of the last attribute may be missing', () => {
    expect(table.decode(source('0500010007'), 0, 5)).toEqual({ small: 7 });
  });

  test('a longer structure of a newer kernel is read as far as it is known, a shorter one of an older is filled up', () => {
    expect(table.decode(source('10000600 01000000 02000000 ffffffff'), 0, 16)).toEqual({ pair: { kind: 1, value: 2 } });
    expect(table.decode(source('08000600 01000000'), 0, 8)).toEqual({ pair: { kind: 1, value: 0 } });
  });

  test('a list with a foreign member is kept as unknown', () => {
    const read = innerTable.decode(source('0c000280 0500010001000000'), 0, 12);
    expect(read).toEqual({ unknown: [{ type: NLA_F_NESTED | 2, bytes: Uint8Array.from([5, 0, 1, 0, 1, 0, 0, 0]) }] });
  });

  test.each([
    { name: 'half a header', hex: '0500', path: '', problem: 'header' },
    { name: 'a length below the header', hex: '0300010000000000', path: '', problem: 'length 3' },
    { name: 'a length beyond the end', hex: '0900010000000000', path: '', problem: 'length 9' },
    { name: 'a scalar that is too short', hex: '0600020001000000', path: 'wide', problem: '4 bytes expected, 2 found' },
    { name: 'a scalar that is too long', hex: '0600010001000000', path: 'small', problem: '1 bytes expected, 2 found' },
    { name: 'a structure that is too short', hex: '0600060001000000', path: 'pair', problem: '4 bytes expected' },
    { name: 'a broken nest', hex: '0800058009000100', path: 'inner', problem: 'length 9' },
    {
      name: 'a broken scalar in a nest',
      hex: '0c00058005000100 01000000',
      path: 'inner.port',
      problem: '2 bytes expected',
    },
  ])('$name is a DecodeError that says where', ({ hex, path, problem }) => {
    const bytes = source(hex);
    const error = decodeErrorOf(() => table.decode(bytes, 0, bytes.length));
    expect(error.path).toBe(path);
    expect(error.message).toContain(problem);
  });

  test('a type that is named twice is found at first use', () => {
    const wrong = attributeTable({ a: attribute(1, u8), b: attribute(1, u8) });
    expect(() => wrong.encode(new WireWriter(), {})).toThrow('attribute type 1 is named twice');
  });
});

describe('messages', () => {
  const read = (hex: string): MessageFrame[] => {
    const frames: MessageFrame[] = [];
    forEachMessage(source(hex), (frame) => {
      frames.push(frame);
    });
    return frames;
  };

  test('several in a datagram, each aligned to four bytes', () => {
    const first = '11000000 0200 0100 05000000 09000000 aa 000000';
    const second = '10000000 0300 0200 06000000 09000000';
    expect(read(first + second)).toMatchObject([
      { type: 2, flags: 1, sequence: 5, portId: 9, payloadStart: 16, payloadEnd: 17 },
      { type: 3, flags: 2, sequence: 6, portId: 9, payloadStart: 36, payloadEnd: 36 },
    ]);
  });

  test.each([
    { name: 'a cut header', hex: '10000000 0300' },
    { name: 'a length below the header', hex: '0f000000 0300 0200 06000000 09000000' },
    { name: 'a length beyond the datagram', hex: '11000000 0300 0200 06000000 09000000' },
  ])('$name is a DecodeError', ({ hex }) => {
    expect(decodeErrorOf(() => read(hex)).path).toBe('');
  });

  test('random bytes give messages or a DecodeError, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          forEachMessage(new WireSource(bytes), () => undefined);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});
