/** Bytes that a real API server wrote (Kubernetes 1.36), with what it gave as JSON at the same version; and broken ones. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PODS, StoreError } from '@canal/store-port';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shapeOf } from './kubernetes-shapes.ts';
import type { MessageShape } from './message.ts';
import { readProtobufFrames, readWatchEvent, type WatchEvent } from './protobuf-frames.ts';
import { ProtobufListDecoder } from './protobuf-list.ts';

const LIMIT = 1024 * 1024;
const FIELDS = {
  metadata: { uid: true, labels: true, annotations: { wanted: true }, creationTimestamp: true },
  spec: {
    nodeName: true,
    hostNetwork: true,
    containers: { ports: { name: true, containerPort: true, protocol: true } },
  },
  status: { phase: true, podIP: true, podIPs: { ip: true } },
} as const;

const captured = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'captured', name));
const PODS_IN_JSON = JSON.parse(captured('pods.json').toString()) as Record<string, unknown>[];

function podShape(fields: Parameters<typeof shapeOf>[1] = FIELDS): MessageShape {
  const shape = shapeOf(PODS, fields);
  if (shape === undefined) throw new Error('no shape');
  return shape;
}

interface List {
  readonly items: readonly Record<string, unknown>[];
  readonly metadata: unknown;
}

/** In pieces that end at these offsets. */
function decodeList(bytes: Buffer, cuts: readonly number[] = [], maxItemBytes = LIMIT): List {
  const items: Record<string, unknown>[] = [];
  const decoder = new ProtobufListDecoder(podShape(), (item) => items.push(item), maxItemBytes);
  let start = 0;
  for (const cut of [...new Set(cuts.map((offset) => offset % bytes.length))].sort((a, b) => a - b)) {
    decoder.push(bytes.subarray(start, cut));
    start = cut;
  }
  decoder.push(bytes.subarray(start));
  return { items, ...decoder.finish() };
}

async function decodeWatch(bytes: Buffer, pieceBytes = bytes.length): Promise<readonly WatchEvent[]> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  );
  const events: WatchEvent[] = [];
  for await (const frame of readProtobufFrames(of(pieces), LIMIT)) events.push(readWatchEvent(frame, podShape()));
  return events;
}

async function* of<T>(values: readonly T[]): AsyncGenerator<T, void> {
  for (const value of values) yield await Promise.resolve(value);
}

/** Protobuf by hand, for what no server writes on demand. */
const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
const bytesField = (number: number, content: readonly number[] | Buffer): number[] => [
  ...varint(number * 8 + 2),
  ...varint(content.length),
  ...content,
];
const textField = (number: number, text: string): number[] => bytesField(number, Buffer.from(text));
const numberField = (number: number, value: number): number[] => [...varint(number * 8), ...varint(value)];
const envelope = (kind: string, raw: readonly number[]): number[] => [
  ...Buffer.from('k8s\0'),
  ...bytesField(1, [...textField(1, 'v1'), ...textField(2, kind)]),
  ...bytesField(2, raw),
  ...textField(3, ''),
  ...textField(4, ''),
];
const podList = (...pods: readonly (readonly number[])[]): Buffer =>
  Buffer.from(envelope('PodList', [...bytesField(1, textField(2, '7')), ...pods.flatMap((pod) => bytesField(2, pod))]));
const named = (...more: readonly number[]): number[] => bytesField(1, [...textField(1, 'a'), ...more]);
const frame = (type: string, object: readonly number[]): Buffer => {
  const content = Buffer.from([...textField(1, type), ...bytesField(2, bytesField(1, object))]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
};

describe('a list of a real server', () => {
  test('gives what its JSON gives', () => {
    const { items, metadata } = decodeList(captured('pods.list.pb'));
    expect(items).toEqual(PODS_IN_JSON);
    expect(metadata).toEqual({ resourceVersion: '824' });
  });

  test('wherever its bytes are cut', () => {
    const bytes = captured('pods.list.pb');
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 30 }), (cuts) => {
        expect(decodeList(bytes, cuts).items).toEqual(PODS_IN_JSON);
      }),
      { numRuns: 200 },
    );
    expect(decodeList(bytes, Array.from(bytes.keys())).items).toEqual(PODS_IN_JSON);
  });

  test('that ends anywhere before its end is an error, never a shorter list', () => {
    const bytes = captured('pods.list.pb');
    // Behind the list the envelope has two empty texts.
    const listEnd = bytes.length - 4;
    for (let end = 0; end < listEnd; end += 7) {
      expect(() => decodeList(bytes.subarray(0, end)), `${end} bytes`).toThrow(StoreError);
    }
  });

  test('that is changed anywhere is another list or an error, nothing else', () => {
    const bytes = captured('pods.list.pb');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ change;
        try {
          decodeList(spoilt);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a watch of a real server', () => {
  test('gives its events, its bookmark last', async () => {
    const events = await decodeWatch(captured('pods.watch.pb'));
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'ADDED', 'BOOKMARK']);
    expect(events.slice(0, 2).map(({ object }) => object)).toEqual(expect.arrayContaining(PODS_IN_JSON));
    const { metadata } = events[2]?.object as { metadata: { resourceVersion: string } };
    expect(metadata.resourceVersion).toMatch(/^\d+$/);
  });

  test.each([1, 3, 100, 4_096])('in pieces of %i bytes', async (pieceBytes) => {
    const bytes = captured('pods.watch.pb');
    expect(await decodeWatch(bytes, pieceBytes)).toEqual(await decodeWatch(bytes));
  });

  test('that is cut within a frame gives the frames before it', async () => {
    const bytes = captured('pods.watch.pb');
    expect(await decodeWatch(bytes.subarray(0, bytes.length - 1))).toHaveLength(2);
  });
});

describe('written by hand', () => {
  test('an error of the server is told with code, reason and message', async () => {
    const status = [...textField(3, 'too old'), ...textField(4, 'Expired'), ...numberField(6, 410)];
    const [event] = await decodeWatch(frame('ERROR', envelope('Status', status)));
    expect(event).toEqual({ type: 'ERROR', object: { message: 'too old', reason: 'Expired', code: 410 } });
  });

  test('an empty list', () => {
    expect(decodeList(podList())).toEqual({ items: [], metadata: { resourceVersion: '7' } });
  });

  test('labels with odd keys and values; annotations that nobody reads are left out', () => {
    const entry = (number: number, key: string, value: string): number[] =>
      bytesField(number, [...textField(1, key), ...textField(2, value)]);
    const labels = [entry(11, 'a', ''), entry(11, '__proto__', 'x'), entry(11, 'é', '日本')].flat();
    const annotations = [entry(12, 'wanted', 'yes'), entry(12, 'other', 'no')].flat();
    const [pod] = decodeList(podList(named(...labels, ...annotations))).items;
    const { metadata } = pod as { metadata: { labels: object; annotations: object } };
    expect(Object.entries(metadata.labels)).toEqual([
      ['a', ''],
      ['__proto__', 'x'],
      ['é', '日本'],
    ]);
    expect(metadata.annotations).toEqual({ wanted: 'yes' });
  });

  test('fields of newer servers are passed over, whatever their wire type', () => {
    const unknown = [
      ...numberField(900, 2 ** 40),
      ...[...varint(901 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8],
      ...[...varint(902 * 8 + 5), 1, 2, 3, 4],
      ...textField(903, 'new'),
    ];
    expect(decodeList(podList([...unknown, ...named(...unknown)])).items).toEqual([{ metadata: { name: 'a' } }]);
  });

  test.each([
    ['no magic', Buffer.from('{"kind":"PodList"}'), 'does not begin as one'],
    ['a group', podList([3, 4]), 'field 0 has wire type 3'],
    ['a name that is a number', podList(bytesField(1, numberField(1, 5))), 'expected bytes'],
    ['a flag that is a text', podList(bytesField(2, textField(11, 'true'))), 'hostNetwork has wire type 2'],
    ['a message that ends behind its list', podList([10, 200]), 'cut short'],
    ['a number that does not end', podList([10, ...new Array<number>(10).fill(0x80)]), 'a number is too long'],
  ])('%s is refused', (_, bytes, message) => {
    expect(() => decodeList(bytes)).toThrow(message);
  });

  test('an item that is too long is refused before it is held', () => {
    const bytes = podList(named());
    expect(() => decodeList(bytes, [], 2)).toThrow('longer than 2 bytes');
  });

  test('a frame that is too long is refused before it is held', async () => {
    await expect(decodeWatch(Buffer.from([0x7f, 0, 0, 0, 1]))).rejects.toThrow('longer than');
  });
});

describe('what is asked for', () => {
  test('name, namespace and version are always read', () => {
    const pod = [...textField(1, 'a'), ...textField(3, 'n'), ...textField(5, 'u'), ...textField(6, '9')];
    const items: unknown[] = [];
    const decoder = new ProtobufListDecoder(podShape({ spec: { nodeName: true } }), (item) => items.push(item), LIMIT);
    decoder.push(podList(bytesField(1, pod)));
    expect(items).toEqual([{ metadata: { name: 'a', namespace: 'n', resourceVersion: '9' } }]);
  });

  test('a field that is in no table is a reason to read JSON', () => {
    expect(shapeOf(PODS, { spec: { volumes: true } })).toBeUndefined();
    expect(shapeOf(PODS, { spec: { containers: true } })).toBeUndefined();
    expect(shapeOf({ ...PODS, plural: 'widgets' }, {})).toBeUndefined();
  });
});
