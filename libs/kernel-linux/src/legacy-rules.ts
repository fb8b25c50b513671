/**
 * Rules of iptables-legacy in the form of nf_tables ones, as far as a packet's way depends on them: addresses become
 * expressions, every other condition one that cannot be judged.
 *
 *     struct ipt_entry | matches … | target |                    struct xt_entry_match, xt_entry_target
 *     0          84      88            90          92   96  112      0      2          31         32
 *     | ipt_ip   | cache | target offs | next offs | …  | … |        | size | name     | revision | data …
 */
import { NFT_BITWISE, NFT_CMP, NFT_PAYLOAD, NFT_REG, NFT_VERDICT, type NftExpression, type NftRule } from 'netlink-ts';
import type { IpFamily } from 'net-types';
import type { LegacyTable } from '@canal/linux-ffi';
import type { BaseChain } from './nft-packet-path.ts';

interface Layout {
  readonly addressBytes: number;
  /** Offsets within struct ipt_ip or ip6t_ip6, which the entry begins with. */
  readonly interfaces: number;
  readonly protocol: number;
  readonly flags: number;
  readonly invertedFlags: number;
  /** Bit of `flags`: goto instead of jump. */
  readonly goto: number;
  /** Bits of `flags` that are conditions, or say that the protocol is one. */
  readonly conditionFlags: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly entryBytes: number;
  /** Offsets of source and destination in the packet's own header. */
  readonly packetAddresses: readonly [number, number];
}

const LAYOUTS: Readonly<Record<IpFamily, Layout>> = {
  4: {
    addressBytes: 4,
    interfaces: 16,
    protocol: 80,
    flags: 82,
    invertedFlags: 83,
    goto: 0x02,
    conditionFlags: 0x01,
    targetOffset: 88,
    nextOffset: 90,
    entryBytes: 112,
    packetAddresses: [12, 16],
  },
  6: {
    addressBytes: 16,
    interfaces: 64,
    protocol: 128,
    flags: 131,
    invertedFlags: 132,
    goto: 0x04,
    conditionFlags: 0x02,
    targetOffset: 140,
    nextOffset: 142,
    entryBytes: 168,
    packetAddresses: [8, 24],
  },
};

/** Bits of the inverted flags: IPT_INV_SRCIP, IPT_INV_DSTIP. */
const INVERTED_SOURCE = 0x08;
const INVERTED_DESTINATION = 0x10;
const INTERFACE_BYTES = 32;
const EXTENSION_HEADER_BYTES = 32;
/** Target that marks the head of a chain, which it names. */
const ERROR_TARGET = 'ERROR';

/** A hook of the table as a base chain. Undefined for a hook that the table lacks. */
export function legacyBaseChain(
  family: IpFamily,
  table: LegacyTable,
  hook: number,
  name: string,
): BaseChain | undefined {
  const place = table.hooks[hook];
  if (place === undefined) return undefined;
  const reader = new EntryReader(family, table.entries);
  const chains = reader.userChains();
  const policy = reader.verdictAt(place.policy) === LEGACY_DROP ? 'drop' : 'accept';
  const rulesOf = (chain: string): readonly NftRule[] => {
    if (chain === name) return reader.rules(place.first, place.policy, chains);
    const found = chains.find((one) => one.name === chain);
    return found === undefined ? [] : reader.rules(found.first, found.end, chains);
  };
  return { name, policy, rulesOf };
}

/** Names of the chains that users made. */
export function legacyChainNames(family: IpFamily, table: LegacyTable): string[] {
  return new EntryReader(family, table.entries).userChains().map(({ name }) => name);
}

interface UserChain {
  readonly name: string;
  readonly first: number;
  /** Offset of the next chain's head. */
  readonly end: number;
}

/** Verdicts are -1 - NF_DROP and so on; XT_RETURN is -5. */
const LEGACY_DROP = -1;
const LEGACY_ACCEPT = -2;
const LEGACY_RETURN = -5;

class EntryReader {
  readonly #layout: Layout;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(family: IpFamily, entries: Uint8Array) {
    this.#layout = LAYOUTS[family];
    this.#bytes = entries;
    this.#view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  }

  userChains(): UserChain[] {
    const heads: { name: string; at: number; first: number }[] = [];
    for (let at = 0; at < this.#bytes.length; at = this.#next(at)) {
      const target = at + this.#view.getUint16(at + this.#layout.targetOffset, true);
      if (this.#extension(target) !== ERROR_TARGET) continue;
      heads.push({ name: this.#text(target + EXTENSION_HEADER_BYTES, 30), at, first: this.#next(at) });
    }
    // The last head ends the table.
    return heads.slice(0, -1).map(({ name, first }, index) => ({ name, first, end: heads[index + 1]?.at ?? first }));
  }

  rules(first: number, end: number, chains: readonly UserChain[]): NftRule[] {
    const found: NftRule[] = [];
    for (let at = first; at < end; at = this.#next(at)) {
      const expressions = [...this.#conditions(at), ...this.#target(at, chains)];
      found.push({ family: 0, version: 0, resourceId: 0, expressions });
    }
    return found;
  }

  /** Of the entry at that offset, if it has a standard target. */
  verdictAt(at: number): number | undefined {
    const target = at + this.#view.getUint16(at + this.#layout.targetOffset, true);
    return this.#extension(target) === '' ? this.#view.getInt32(target + EXTENSION_HEADER_BYTES, true) : undefined;
  }

  #conditions(at: number): NftExpression[] {
    const { addressBytes, interfaces, protocol, flags, invertedFlags, conditionFlags, entryBytes, packetAddresses } =
      this.#layout;
    const inverted = this.#bytes[at + invertedFlags] ?? 0;
    const found: NftExpression[] = [
      ...this.#address(packetAddresses[0], at, at + 2 * addressBytes, (inverted & INVERTED_SOURCE) !== 0),
      ...this.#address(
        packetAddresses[1],
        at + addressBytes,
        at + 3 * addressBytes,
        (inverted & INVERTED_DESTINATION) !== 0,
      ),
    ];
    const names = this.#bytes.subarray(at + interfaces, at + interfaces + INTERFACE_BYTES);
    const other =
      names.some((byte) => byte !== 0) ||
      this.#view.getUint16(at + protocol, true) !== 0 ||
      ((this.#bytes[at + flags] ?? 0) & conditionFlags) !== 0;
    if (other) found.push({ type: 'match', extension: 'interface or protocol' });
    const target = at + this.#view.getUint16(at + this.#layout.targetOffset, true);
    for (let match = at + entryBytes; match < target; match += this.#size(match)) {
      found.push({ type: 'match', extension: this.#extension(match) });
    }
    return found;
  }

  #address(offset: number, address: number, mask: number, negated: boolean): NftExpression[] {
    const length = this.#layout.addressBytes;
    const maskBytes = this.#bytes.slice(mask, mask + length);
    if (maskBytes.every((byte) => byte === 0)) return [];
    const register = NFT_REG.REG_1;
    return [
      { type: 'payload', dreg: register, base: NFT_PAYLOAD.NETWORK_HEADER, offset, length },
      {
        type: 'bitwise',
        sreg: register,
        dreg: register,
        length,
        op: NFT_BITWISE.MASK_XOR,
        mask: { value: maskBytes },
        xor: { value: new Uint8Array(length) },
      },
      {
        type: 'cmp',
        sreg: register,
        op: negated ? NFT_CMP.NEQ : NFT_CMP.EQ,
        data: { value: this.#bytes.slice(address, address + length) },
      },
    ];
  }

  #target(at: number, chains: readonly UserChain[]): NftExpression[] {
    const target = at + this.#view.getUint16(at + this.#layout.targetOffset, true);
    const extension = this.#extension(target);
    if (extension !== '') return [{ type: 'target', extension }];
    const verdict = this.#view.getInt32(target + EXTENSION_HEADER_BYTES, true);
    if (verdict >= 0) {
      const chain = chains.find(({ first }) => first === verdict)?.name;
      // A rule without a target "jumps" to the next one.
      if (chain === undefined) return [];
      const isGoto = ((this.#bytes[at + this.#layout.flags] ?? 0) & this.#layout.goto) !== 0;
      return [end(isGoto ? NFT_VERDICT.GOTO : NFT_VERDICT.JUMP, chain)];
    }
    if (verdict === LEGACY_DROP) return [end(NFT_VERDICT.DROP)];
    if (verdict === LEGACY_ACCEPT) return [end(NFT_VERDICT.ACCEPT)];
    return [end(verdict === LEGACY_RETURN ? NFT_VERDICT.RETURN : NFT_VERDICT.QUEUE)];
  }

  #next(at: number): number {
    // An entry is never empty: a zero would have no end.
    return at + Math.max(this.#view.getUint16(at + this.#layout.nextOffset, true), this.#layout.entryBytes);
  }

  #size(at: number): number {
    return Math.max(this.#view.getUint16(at, true), EXTENSION_HEADER_BYTES);
  }

  #extension(at: number): string {
    return this.#text(at + 2, 29);
  }

  #text(at: number, maxBytes: number): string {
    const bytes = this.#bytes.subarray(at, at + maxBytes);
    const zero = bytes.indexOf(0);
    return new TextDecoder().decode(zero < 0 ? bytes : bytes.subarray(0, zero));
  }
}

function end(code: number, chain?: string): NftExpression {
  return {
    type: 'immediate',
    dreg: NFT_REG.VERDICT,
    data: { verdict: { code, ...(chain !== undefined && { chain }) } },
  };
}
