import { describe, expect, test } from 'vitest';

import { metadataOf, versionOf } from './api-client.ts';
import type { ContractContext } from './context.ts';
import { eventVersion, summary, WatchReader } from './watch-reader.ts';

/** Watches: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
export function describeWatches(context: ContractContext): void {
  const pathOf = async (): Promise<string> => `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
  const versionNow = async (path: string): Promise<string> => versionOf((await context.api().get(path)).body);
  const open = (path: string): Promise<WatchReader> => WatchReader.open(context.subject(), path);

  describe('a watch from a version', () => {
    test('delivers every later change in order, with growing versions', async () => {
      const path = await pathOf();
      const watch = await open(`${path}?resourceVersion=${await versionNow(path)}&labelSelector=w`);
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      await context.api().patch(`${path}/a`, { data: { k: 'v' } });
      await context.api().create(path, { metadata: { name: 'b', labels: { w: '1' } } });
      await context.api().delete(`${path}/a`);
      const events = await watch.take(4);
      watch.close();
      expect(events.map(summary)).toEqual(['ADDED a', 'MODIFIED a', 'ADDED b', 'DELETED a']);
      const versions = events.map(eventVersion);
      expect(versions).toEqual([...versions].sort((x, y) => (x < y ? -1 : 1)));
      expect(new Set(versions).size, 'the deletion has a version of its own').toBe(4);
    });

    test('replays what happened before it was opened', async () => {
      const path = await pathOf();
      const from = await versionNow(path);
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      await context.api().delete(`${path}/a`);
      const watch = await open(`${path}?resourceVersion=${from}&labelSelector=w`);
      expect((await watch.take(2)).map(summary)).toEqual(['ADDED a', 'DELETED a']);
      watch.close();
    });

    test('resumes behind the event whose version it is given', async () => {
      const path = await pathOf();
      const a = await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      await context.api().create(path, { metadata: { name: 'b', labels: { w: '1' } } });
      const watch = await open(`${path}?resourceVersion=${versionOf(a)}&labelSelector=w`);
      expect(summary(await watch.next())).toBe('ADDED b');
      watch.close();
    });

    test('gives kind and apiVersion with each object', async () => {
      const path = await pathOf();
      const watch = await open(`${path}?resourceVersion=${await versionNow(path)}&labelSelector=w`);
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      expect((await watch.next())?.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
      watch.close();
    });

    test('sees nothing of a write that changed nothing', async () => {
      const path = await pathOf();
      const object = await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      const watch = await open(`${path}?resourceVersion=${versionOf(object)}&labelSelector=w`);
      await context.api().put(`${path}/a`, object);
      await context.api().create(path, { metadata: { name: 'b', labels: { w: '1' } } });
      expect(summary(await watch.next())).toBe('ADDED b');
      watch.close();
    });

    test('whose history is forgotten is told 410', async ({ skip }) => {
      const { compact } = context.subject();
      if (compact === undefined) return skip('the subject cannot be compacted');
      const path = await pathOf();
      const from = await versionNow(path);
      await context.api().create(path, { metadata: { name: 'a' } });
      await compact();
      // As the answer itself, or as the first event of the stream: servers do both.
      const watch = await open(`${path}?resourceVersion=${from}`);
      expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410 } });
      watch.close();
    });
  });

  describe('a watch without a version', () => {
    test.each(['', 'resourceVersion=0&'])('(%s) begins with what exists', async (query) => {
      const path = await pathOf();
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      await context.api().create(path, { metadata: { name: 'b', labels: { w: '1' } } });
      const watch = await open(`${path}?${query}labelSelector=w`);
      expect((await watch.take(2)).map(summary).sort()).toEqual(['ADDED a', 'ADDED b']);
      await context.api().delete(`${path}/b`);
      expect(summary(await watch.next())).toBe('DELETED b');
      watch.close();
    });
  });

  describe('selectors of a watch', () => {
    test('an object that comes into the selection is ADDED, one that leaves it is DELETED', async () => {
      const path = await pathOf();
      await context.api().create(path, { metadata: { name: 'a' } });
      const watch = await open(`${path}?resourceVersion=${await versionNow(path)}&labelSelector=w%3D1`);
      await context.api().patch(`${path}/a`, { metadata: { labels: { w: '1' } } });
      await context.api().patch(`${path}/a`, { data: { k: 'v' } });
      await context.api().patch(`${path}/a`, { metadata: { labels: { w: '2' } } });
      const events = await watch.take(3);
      watch.close();
      expect(events.map(summary)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
      const [, modified, deleted] = events;
      if (modified === undefined || deleted === undefined) throw new Error('three events expected');
      expect(eventVersion(deleted)).toBeGreaterThan(eventVersion(modified));
    });

    test('metadata.name watches one object', async () => {
      const path = await pathOf();
      const watch = await open(`${path}?resourceVersion=${await versionNow(path)}&fieldSelector=metadata.name%3Db`);
      await context.api().create(path, { metadata: { name: 'a' } });
      await context.api().create(path, { metadata: { name: 'b' } });
      expect(summary(await watch.next())).toBe('ADDED b');
      watch.close();
    });

    test('a watch over all namespaces sees each of them, one of a namespace only its own', async () => {
      const [one, two] = [await pathOf(), await pathOf()];
      const from = await versionNow(one);
      const all = await open(`/api/v1/configmaps?resourceVersion=${from}&labelSelector=w`);
      const own = await open(`${two}?resourceVersion=${from}&labelSelector=w`);
      await context.api().create(one, { metadata: { name: 'a', labels: { w: '1' } } });
      await context.api().create(two, { metadata: { name: 'b', labels: { w: '1' } } });
      expect((await all.take(2)).map(summary)).toEqual(['ADDED a', 'ADDED b']);
      expect(summary(await own.next())).toBe('ADDED b');
      all.close();
      own.close();
    });
  });

  describe('the end of a watch', () => {
    test('comes after timeoutSeconds', async () => {
      const path = await pathOf();
      const watch = await open(`${path}?resourceVersion=${await versionNow(path)}&timeoutSeconds=1&labelSelector=w`);
      expect(await watch.next()).toBeUndefined();
    });

    test('is preceded by a bookmark, when bookmarks are allowed, at a version that resumes without loss', async () => {
      const path = await pathOf();
      const other = await pathOf();
      const from = await versionNow(path);
      const query = `resourceVersion=${from}&allowWatchBookmarks=true&timeoutSeconds=5&labelSelector=w`;
      const watch = await open(`${path}?${query}`);
      // Something must happen while it is open: a server leaves out a bookmark that tells nothing new.
      const created = await context.api().create(other, { metadata: { name: 'elsewhere' } });
      const bookmark = await watch.nextOfAny();
      watch.close();
      expect(bookmark).toMatchObject({ type: 'BOOKMARK', object: { kind: 'ConfigMap', apiVersion: 'v1' } });
      if (bookmark === undefined) throw new Error('a bookmark was expected');
      expect(eventVersion(bookmark)).toBeGreaterThanOrEqual(BigInt(versionOf(created)));
      const resumed = await open(`${path}?resourceVersion=${versionOf(bookmark.object)}&labelSelector=w`);
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      expect(summary(await resumed.next())).toBe('ADDED a');
      resumed.close();
    });
  });

  describe('sendInitialEvents', () => {
    test('ends the initial state with a marked bookmark', async () => {
      const path = await pathOf();
      await context.api().create(path, { metadata: { name: 'a', labels: { w: '1' } } });
      const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const watch = await open(`${path}?${query}&labelSelector=w`);
      expect(summary(await watch.nextOfAny())).toBe('ADDED a');
      const end = await watch.nextOfAny();
      expect(end?.type).toBe('BOOKMARK');
      expect(metadataOf(end?.object)['annotations']).toEqual({ 'k8s.io/initial-events-end': 'true' });
      watch.close();
    });
  });
}
