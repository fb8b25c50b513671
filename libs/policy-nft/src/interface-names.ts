import { type NetnsRef, openNetlinkConnection } from '@canal/linux-ffi';
import { findLink, type NetlinkConnection } from 'netlink-ts';

/** Names are asked for again after this time: interfaces are renamed. */
const FRESH_MS = 10_000;

/** Names of interfaces by index, asked of the kernel at most once in a while, those that are gone too. */
export class InterfaceNames implements Disposable {
  readonly #connection: NetlinkConnection;
  readonly #names = new Map<number, string | undefined>();
  #freshUntil = 0;

  constructor(netns: NetnsRef | undefined) {
    this.#connection = openNetlinkConnection({ netns });
  }

  /** Undefined for an interface that is gone. */
  nameOf(index: number, nowMs: number): string | undefined {
    if (nowMs >= this.#freshUntil) {
      this.#names.clear();
      this.#freshUntil = nowMs + FRESH_MS;
    }
    if (!this.#names.has(index)) this.#names.set(index, findLink(this.#connection, { index })?.name);
    return this.#names.get(index);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}
