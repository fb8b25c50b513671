import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineBuffer } from './line-buffer.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('lines', () => {
  test('come out as they went in, wherever the stream is cut, also inside a character', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 7 }), (lines, step) => {
        const buffer = new LineBuffer(10_000);
        const stream = bytes(lines.map((text) => `${text}\n`).join(''));
        const chunk = new Uint8Array(step);
        const read: string[] = [];
        for (let at = 0; at < stream.length; at += step) {
          const part = stream.subarray(at, at + step);
          // The same memory each time, as a reader of a socket has it.
          chunk.set(part);
          read.push(...buffer.push(chunk.subarray(0, part.length)));
        }
        expect(read).toEqual(lines);
        expect(buffer.overflowed).toBe(false);
      }),
    );
  });

  test('what has no end is no line', () => {
    expect(new LineBuffer(10).push(bytes('{"op"'))).toEqual([]);
  });

  test('the longest line passes, one byte more ends the stream', () => {
    const buffer = new LineBuffer(4);
    expect(buffer.push(bytes('1234\nab'))).toEqual(['1234']);
    expect(buffer.push(bytes('cde\nx\n'))).toEqual([]);
    expect(buffer.overflowed).toBe(true);
    expect(buffer.push(bytes('y\n'))).toEqual([]);
  });

  test('a long line in one piece counts as well', () => {
    const buffer = new LineBuffer(4);
    expect(buffer.push(bytes('1\n12345\n2\n'))).toEqual(['1']);
    expect(buffer.overflowed).toBe(true);
  });
});
