import type { NetlinkEventTransport } from '../connection/transport.ts';

/** A source of events under the test's control, over any number of sockets one after another. */
export interface FakeEventPeer {
  /** What `createNetlinkMonitor` takes. */
  readonly open: () => NetlinkEventTransport;
  /** Datagrams, one or several behind each other, for the socket that is open. */
  push(datagrams: Uint8Array): void;
  /** The socket fails with ENOBUFS once what was pushed before is read. */
  overrun(): void;
  /** The socket fails with this errno name. */
  fail(code: string): void;
  readonly openTransports: number;
}

type Item = { readonly datagrams: Uint8Array } | { readonly code: string };

export function createFakeEventPeer(): FakeEventPeer {
  let items: Item[] = [];
  let wake: () => void = () => undefined;
  let openTransports = 0;
  const add = (item: Item): void => {
    items.push(item);
    wake();
  };
  const open = (): NetlinkEventTransport => {
    let disposed = false;
    openTransports++;
    // A new socket knows nothing of what was meant for the old one.
    items = [];
    return {
      async read() {
        while (!disposed) {
          const item = items.shift();
          if (item === undefined) await new Promise<void>((resolve) => (wake = resolve));
          else if ('datagrams' in item) return item.datagrams;
          else throw Object.assign(new Error(`read: ${item.code}`), { code: item.code });
        }
        return undefined;
      },
      [Symbol.dispose]() {
        if (disposed) return;
        disposed = true;
        openTransports--;
        wake();
      },
    };
  };
  return {
    open,
    push: (datagrams) => add({ datagrams }),
    overrun: () => add({ code: 'ENOBUFS' }),
    fail: (code) => add({ code }),
    get openTransports() {
      return openTransports;
    },
  };
}
