/** The addresses of one family, cut by blocks: a zone is all that lies in the same blocks, wherever it is. */
import {
  type Cidr,
  cidrFamily,
  cidrLast,
  compareIp,
  type Ip,
  ipAdd,
  type IpFamily,
  IPV4_MAX,
  IPV6_MAX,
} from 'net-types';

export type ZoneId = number;

export interface Block {
  readonly cidr: Cidr;
  readonly except: readonly Cidr[];
}

/** Inclusive. */
export interface AddressRange {
  readonly first: Ip;
  readonly last: Ip;
}

export class AddressZones {
  readonly #starts: readonly Ip[];
  readonly #zoneAt: Int32Array;
  readonly #last: Ip;
  readonly #covers: readonly Uint8Array[];
  readonly count: number;

  /** Blocks of the other family cover nothing. */
  constructor(family: IpFamily, blocks: readonly Block[]) {
    this.#last = (family === 4 ? IPV4_MAX : IPV6_MAX) as Ip;
    const zero = (family === 4 ? 0 : 0n) as Ip;
    const cidrs = blocks.flatMap(({ cidr, except }) => [cidr, ...except]).filter((cidr) => cidrFamily(cidr) === family);
    const edges = cidrs.flatMap((cidr) => [cidr.ip, ipAdd(cidrLast(cidr), 1) ?? zero]);
    this.#starts = [...new Set([zero, ...edges])].sort(compareIp);
    const covered = blocks.map((block) => this.#piecesOf(block, family));

    // Each block parts what it covers of a zone from what it does not.
    const zones = new Int32Array(this.#starts.length);
    let made = 1;
    for (const pieces of covered) {
      const parted = new Map<number, number>();
      for (const piece of pieces) {
        const zone = zones[piece] as number;
        let part = parted.get(zone);
        if (part === undefined) parted.set(zone, (part = made++));
        zones[piece] = part;
      }
    }
    const numbers = new Map<number, ZoneId>();
    this.#zoneAt = zones.map((zone) => {
      let number = numbers.get(zone);
      if (number === undefined) numbers.set(zone, (number = numbers.size));
      return number;
    });
    this.count = numbers.size;
    this.#covers = covered.map((pieces) => {
      const covers = new Uint8Array(this.count);
      for (const piece of pieces) covers[this.#zoneAt[piece] as number] = 1;
      return covers;
    });
  }

  /** `block`: place in the list of blocks. */
  covers(block: number, zone: ZoneId): boolean {
    return this.#covers[block]?.[zone] === 1;
  }

  zoneOf(ip: Ip): ZoneId {
    return this.#zoneAt[this.#pieceOf(ip)] as ZoneId;
  }

  /** Pieces of all zones, ascending, one behind the other without gaps. */
  *pieces(): Generator<AddressRange & { readonly zone: ZoneId }> {
    for (const [at, first] of this.#starts.entries()) {
      const next = this.#starts[at + 1];
      const last = next === undefined ? this.#last : (ipAdd(next, -1) as Ip);
      yield { first, last, zone: this.#zoneAt[at] as ZoneId };
    }
  }

  #piecesOf({ cidr, except }: Block, family: IpFamily): Int32Array {
    if (cidrFamily(cidr) !== family) return new Int32Array();
    const [from, to] = this.#span(cidr);
    const inside = new Uint8Array(to - from).fill(1);
    for (const hole of except) {
      if (cidrFamily(hole) !== family) continue;
      const [holeFrom, holeTo] = this.#span(hole);
      if (holeTo > from && holeFrom < to) inside.fill(0, Math.max(holeFrom - from, 0), Math.max(holeTo - from, 0));
    }
    const pieces: number[] = [];
    for (let at = 0; at < inside.length; at++) if (inside[at] === 1) pieces.push(from + at);
    return Int32Array.from(pieces);
  }

  /** Pieces from..to-1. */
  #span(cidr: Cidr): [number, number] {
    return [this.#pieceOf(cidr.ip), this.#pieceOf(cidrLast(cidr)) + 1];
  }

  #pieceOf(ip: Ip): number {
    let from = 0;
    let to = this.#starts.length;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if (compareIp(this.#starts[middle] as Ip, ip) <= 0) from = middle;
      else to = middle;
    }
    return from;
  }
}
