import { DecodeError } from '../wire/decode-error.ts';
import { forEachMessage, type MessageFrame } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { transportError } from './netlink-error.ts';
import type { NetlinkEventTransport, WireTrace } from './transport.ts';

/** Events were lost, or one could not be read: list everything anew. */
export interface ResyncEvent {
  readonly type: 'resync';
  readonly reason: 'overrun' | 'undecodable';
}

export interface NetlinkMonitorOptions {
  /** Ends the iteration and closes the socket. */
  readonly signal?: AbortSignal | undefined;
  readonly trace?: WireTrace | undefined;
}

/** Events in the order of the kernel. Also the way to close it: `using`, the signal, or leaving the loop. */
export interface NetlinkMonitor<T> extends Disposable, AsyncIterable<T | ResyncEvent> {}

/**
 * Listens from this call on, so list the objects after it and nothing is missed. When the kernel drops events (ENOBUFS)
 * a new socket is opened first, then a resync event delivered: what happens after the resync is seen again.
 */
export function createNetlinkMonitor<T>(
  open: () => NetlinkEventTransport,
  decode: (frame: MessageFrame) => T | undefined,
  options: NetlinkMonitorOptions = {},
): NetlinkMonitor<T> {
  const { signal, trace } = options;
  let transport = open();
  let closed = false;
  const close = (): void => {
    closed = true;
    signal?.removeEventListener('abort', close);
    transport[Symbol.dispose]();
  };
  if (signal?.aborted === true) close();
  signal?.addEventListener('abort', close, { once: true });

  async function* events(): AsyncGenerator<T | ResyncEvent> {
    try {
      while (!closed) {
        const batch = await nextBatch();
        if (batch === undefined) return;
        yield* batch;
      }
    } finally {
      close();
    }
  }

  async function nextBatch(): Promise<(T | ResyncEvent)[] | undefined> {
    try {
      const datagrams = await transport.read();
      if (datagrams === undefined || closed) return undefined;
      trace?.('received', datagrams);
      return decodeEvents(datagrams, decode);
    } catch (cause) {
      if (closed) return undefined;
      const error = transportError('monitor', cause);
      if (!isOverrun(error)) throw error;
      const old = transport;
      transport = open();
      old[Symbol.dispose]();
      return [{ type: 'resync', reason: 'overrun' }];
    }
  }

  return { [Symbol.asyncIterator]: events, [Symbol.dispose]: close };
}

function decodeEvents<T>(datagrams: Uint8Array, decode: (frame: MessageFrame) => T | undefined): (T | ResyncEvent)[] {
  const events: (T | ResyncEvent)[] = [];
  try {
    forEachMessage(new WireSource(datagrams), (frame) => {
      const event = decode(frame);
      if (event !== undefined) events.push(event);
    });
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    // What follows a broken message cannot be found any more: as bad as lost.
    events.push({ type: 'resync', reason: 'undecodable' });
  }
  return events;
}

function isOverrun(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOBUFS';
}
