import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { isJson } from './json.ts';
import { parseLabelSelector } from './label-selector.ts';
import { ObjectDatabase } from './object-database.ts';
import { openWatchStream, type WatchStreamOptions } from './watch-stream.ts';

let db: ObjectDatabase;
let abort: AbortController;

beforeEach(() => {
  db = new ObjectDatabase(':memory:', { maxChanges: 1_000_000, maxBytes: 1024 * 1024 * 1024 });
  abort = new AbortController();
});
afterEach(() => {
  abort.abort();
  db.close();
});

function put(name: string, labels: Record<string, string> = {}, padding = ''): void {
  db.put('/things', '', name, (version) =>
    JSON.stringify({ metadata: { name, labels, resourceVersion: String(version) }, padding }),
  );
}

function remove(name: string): void {
  db.delete('/things', '', name, (version) => JSON.stringify({ metadata: { name, resourceVersion: String(version) } }));
}

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

function open(options: Partial<WatchStreamOptions> = {}): Reader {
  const stream = openWatchStream(db, {
    resource: '/things',
    apiVersion: 'v1',
    kind: 'Thing',
    view: { object: (body) => body, list: () => '' },
    filter: { namespace: undefined, labels: [], fields: [] },
    fromVersion: db.version,
    initialState: false,
    markInitialEnd: false,
    bookmarks: false,
    bookmarkIntervalMs: 1_000_000,
    timeoutMs: 1_000_000,
    bufferBytes: 64 * 1024,
    signal: abort.signal,
    ...options,
  });
  return stream.getReader();
}

/** Event types with names and versions, until `count` were read or the stream ended. */
async function read(reader: Reader, count = Number.POSITIVE_INFINITY): Promise<string[]> {
  const events: string[] = [];
  while (events.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    const text = new TextDecoder().decode(value).trim();
    if (text === '') continue;
    const event: unknown = JSON.parse(text);
    if (!isJson(event) || !isJson(event['object'])) throw new Error('no event');
    const metadata = event['object']['metadata'];
    const { name, resourceVersion } = isJson(metadata) ? metadata : {};
    const detail = [name, resourceVersion, event['object']['code']].filter((part) => part !== undefined);
    events.push([event['type'], ...detail].join(' '));
  }
  return events;
}

describe('a reader that keeps up', () => {
  test('is sent each change when it is written', async () => {
    const reader = open();
    put('a');
    put('a', { x: 'y' });
    remove('a');
    expect(await read(reader, 3)).toEqual(['ADDED a 1', 'MODIFIED a 2', 'DELETED a 3']);
  });

  test('is not sent changes of other resources', async () => {
    const reader = open();
    db.put('/others', '', 'o', () => '{}');
    put('a');
    expect(await read(reader, 1)).toEqual(['ADDED a 2']);
  });

  test('with a selector sees objects come and go by their labels', async () => {
    const reader = open({ filter: { namespace: undefined, labels: parseLabelSelector('in=yes'), fields: [] } });
    put('a');
    put('a', { in: 'yes' });
    put('a', { in: 'no' });
    put('a', { in: 'yes' });
    remove('a');
    expect(await read(reader, 4)).toEqual(['ADDED a 2', 'DELETED a 3', 'ADDED a 4', 'DELETED a 5']);
  });
});

describe('a reader that does not read', () => {
  test('has no more waiting for it than its buffer, and misses nothing', async () => {
    const reader = open();
    const padding = 'x'.repeat(10_000);
    for (let round = 0; round < 1_000; round += 1) put(`o${String(round)}`, {}, padding);
    const events = await read(reader, 1_000);
    expect(events).toEqual(Array.from({ length: 1_000 }, (_, round) => `ADDED o${String(round)} ${String(round + 1)}`));
    put('later');
    expect(await read(reader, 1)).toEqual(['ADDED later 1001']);
  });

  test('is told 410 when the history that it has not read is forgotten, and its stream ends', async () => {
    const reader = open();
    const padding = 'x'.repeat(10_000);
    for (let round = 0; round < 100; round += 1) put(`o${String(round)}`, {}, padding);
    db.compact();
    put('later');
    const events = await read(reader);
    expect(events.at(-1)).toBe('ERROR 410');
    expect(events.length).toBeLessThan(20);
  });
});

describe('the initial state', () => {
  test('comes in pieces, then what changed meanwhile, then the marked bookmark in between', async () => {
    for (let index = 0; index < 500; index += 1) put(`o${String(index).padStart(3, '0')}`, {}, 'x'.repeat(1_000));
    const reader = open({ initialState: true, markInitialEnd: true, bookmarks: true });
    put('o000', { changed: 'yes' });
    remove('o499');
    const events = await read(reader, 503);
    expect(events.slice(0, 500).every((event) => event.startsWith('ADDED'))).toBe(true);
    expect(events.slice(499)).toEqual(['ADDED o499 500', 'BOOKMARK 500', 'MODIFIED o000 501', 'DELETED o499 502']);
  });
});

describe('the end', () => {
  test('comes after the time asked for, with a bookmark', async () => {
    const reader = open({ timeoutMs: 20, bookmarks: true });
    db.put('/others', '', 'o', () => '{}');
    expect(await read(reader)).toEqual(['BOOKMARK 1']);
  });

  test('comes when the server closes', async () => {
    const reader = open();
    abort.abort();
    expect(await read(reader)).toEqual([]);
  });

  test('of a reader leaves nothing behind', async () => {
    const reader = open();
    await reader.cancel();
    put('a');
  });
});

test('bookmarks come regularly, at the version that was reached', async () => {
  const reader = open({ bookmarks: true, bookmarkIntervalMs: 10 });
  db.put('/others', '', 'o', () => '{}');
  db.put('/others', '', 'o', () => '{}');
  expect(await read(reader, 1)).toEqual(['BOOKMARK 2']);
});
