import { describe, expect, test } from 'vitest';
import { linkCodec } from '../link/message.ts';
import { createRtnetlinkMonitor } from '../rtnetlink/events.ts';
import { createFakeEventPeer } from '../testing/fake-event-peer.ts';
import { encodeReply } from '../testing/fake-peer.ts';

const newLink = (index: number): Uint8Array =>
  encodeReply({ type: 16 }, (writer) => linkCodec.encode(writer, { index }));
const unheard = encodeReply({ type: 36 }, (writer) => writer.zeros(20));

/** Collects until the loop ends by itself. */
async function collect(events: AsyncIterable<{ type: string; link?: { index: number } }>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, link } of events) seen.push(link === undefined ? type : `${type} ${link.index}`);
  return seen;
}

describe('a monitor', () => {
  test('gives the events of one datagram or several, in order, without those that nobody decodes', async () => {
    const peer = createFakeEventPeer();
    const monitor = createRtnetlinkMonitor(peer.open);
    peer.push(newLink(1));
    peer.push(Buffer.concat([newLink(2), unheard, newLink(3)]));
    const seen: unknown[] = [];
    for await (const event of monitor) {
      seen.push(event.type === 'link' && event.link.index);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(peer.openTransports).toBe(0);
  });

  test('listens from its creation on, not from the first look', async () => {
    const peer = createFakeEventPeer();
    using monitor = createRtnetlinkMonitor(peer.open);
    expect(peer.openTransports).toBe(1);
    peer.push(newLink(1));
    for await (const event of monitor) {
      expect(event).toMatchObject({ type: 'link', action: 'new', link: { index: 1 } });
      break;
    }
  });

  test('an overrun is a resync, delivered when a new socket listens already', async () => {
    const peer = createFakeEventPeer();
    const abort = new AbortController();
    const monitor = createRtnetlinkMonitor(peer.open, { signal: abort.signal });
    peer.push(newLink(1));
    peer.overrun();
    const seen: string[] = [];
    for await (const event of monitor) {
      seen.push(event.type === 'resync' ? `resync ${event.reason}` : event.type);
      if (event.type === 'resync') {
        expect(peer.openTransports).toBe(1);
        peer.push(newLink(2));
      }
      if (seen.length === 3) abort.abort();
    }
    expect(seen).toEqual(['link', 'resync overrun', 'link']);
    expect(peer.openTransports).toBe(0);
  });

  test('a broken message is a resync after the events in front of it', async () => {
    const peer = createFakeEventPeer();
    const abort = new AbortController();
    const broken = encodeReply({ type: 16 }, (writer) => writer.zeros(3));
    peer.push(new Uint8Array(0));
    const events = collect(createRtnetlinkMonitor(peer.open, { signal: abort.signal }));
    peer.push(Buffer.concat([newLink(1), broken, newLink(2)]));
    peer.push(newLink(3));
    setTimeout(() => abort.abort(), 5);
    expect(await events).toEqual(['link 1', 'resync', 'link 3']);
  });

  test('aborting ends the loop while it waits, and closes the socket', async () => {
    const peer = createFakeEventPeer();
    const abort = new AbortController();
    const events = collect(createRtnetlinkMonitor(peer.open, { signal: abort.signal }));
    setTimeout(() => abort.abort(), 1);
    expect(await events).toEqual([]);
    expect(peer.openTransports).toBe(0);
  });

  test('an aborted signal closes it before it starts', async () => {
    const peer = createFakeEventPeer();
    expect(await collect(createRtnetlinkMonitor(peer.open, { signal: AbortSignal.abort() }))).toEqual([]);
    expect(peer.openTransports).toBe(0);
  });

  test('any other failure of the socket ends the loop with an error', async () => {
    const peer = createFakeEventPeer();
    const events = collect(createRtnetlinkMonitor(peer.open));
    peer.fail('EBADF');
    await expect(events).rejects.toMatchObject({ name: 'NetlinkError', code: 'EBADF', operation: 'monitor' });
    expect(peer.openTransports).toBe(0);
  });
});
