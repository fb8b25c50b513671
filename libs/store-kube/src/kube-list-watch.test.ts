import { StoreError } from '@canal/store-port';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { readLines } from './json-lines.ts';
import { decodeFrame } from './kube-list-watch.ts';

async function linesOf(text: string, sizes: readonly number[], maxBytes = 1_000): Promise<string[]> {
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    const bytes = new TextEncoder().encode(text);
    let start = 0;
    for (let index = 0; start < bytes.length; index += 1) {
      const size = sizes.length === 0 ? bytes.length : (sizes[index % sizes.length] ?? 1);
      await Promise.resolve();
      yield bytes.subarray(start, start + size);
      start += size;
    }
  }
  const lines: string[] = [];
  for await (const line of readLines(chunks(), maxBytes)) lines.push(line);
  return lines;
}

describe('lines of a stream', () => {
  test('are whole, however the bytes are cut; blank ones and an unfinished one are left out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string().map((line) => line.replaceAll('\n', ''))),
        fc.string().map((line) => line.replaceAll('\n', '')),
        fc.array(fc.integer({ min: 1, max: 7 })),
        async (lines, unfinished, sizes) => {
          const text = `${lines.map((line) => `${line}\n`).join('')}${unfinished}`;
          expect(await linesOf(text, sizes)).toEqual(lines.filter((line) => line !== ''));
        },
      ),
    );
  });

  test('above the limit are refused, also when they never end', async () => {
    await expect(linesOf('x'.repeat(2_000), [100])).rejects.toThrow(/longer than 1000 bytes/);
  });
});

describe('a watch line', () => {
  const object = { metadata: { name: 'a', resourceVersion: '5' } };
  test.each([
    { name: 'ADDED', line: { type: 'ADDED', object }, frame: { type: 'put', object } },
    { name: 'MODIFIED', line: { type: 'MODIFIED', object }, frame: { type: 'put', object } },
    { name: 'DELETED', line: { type: 'DELETED', object }, frame: { type: 'delete', object } },
    {
      name: 'BOOKMARK, which has no name',
      line: { type: 'BOOKMARK', object: { kind: 'Node', metadata: { resourceVersion: '9', creationTimestamp: null } } },
      frame: { type: 'bookmark', resourceVersion: '9' },
    },
    {
      name: 'ERROR',
      line: { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } },
      frame: { type: 'error', status: 410, reason: 'Expired', message: 'too old' },
    },
    {
      name: 'ERROR without a Status',
      line: { type: 'ERROR' },
      frame: { type: 'error', status: 500, reason: '', message: 'no message' },
    },
    { name: 'a type that is not known yet', line: { type: 'NEWS', object }, frame: undefined },
  ])('$name', ({ line, frame }) => {
    expect(decodeFrame(JSON.stringify(line))).toEqual(frame);
  });

  test.each([
    '{',
    'null',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{"metadata":{}}}',
    '{"type":"DELETED","object":[]}',
  ])('%s is a cut connection, or nothing', (line) => {
    try {
      expect(decodeFrame(line)).toBeUndefined();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
    }
  });
});
