/** Bytes of set keys and map data, as they lie in registers. Addresses: `ipToBytes`, `macToBytes` of net-types. */
import { paddedLength } from './datatype.ts';
import type { NftData } from './expression/data.ts';

const IFNAMSIZ = 16;

/** One field as it is; several as a concatenation, each padded with zeros to a multiple of four. */
export function elementKey(...fields: readonly Uint8Array[]): Uint8Array {
  const [only] = fields;
  if (fields.length === 1 && only !== undefined) return only;
  let length = 0;
  for (const field of fields) length += paddedLength(field.length);
  const key = new Uint8Array(length);
  let at = 0;
  for (const field of fields) {
    key.set(field, at);
    at += paddedLength(field.length);
  }
  return key;
}

/** A port (`inet_service`). */
export function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port);
}

/** An interface name (`ifname`). Throws RangeError for one that no interface can have. */
export function interfaceNameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(IFNAMSIZ);
  const text = new TextEncoder().encode(name);
  if (text.length === 0 || text.length >= IFNAMSIZ || text.includes(0)) {
    throw new RangeError(`an interface name is 1..15 bytes without a zero: ${JSON.stringify(name)}`);
  }
  bytes.set(text);
  return bytes;
}

/** The data of a verdict map's element (NFT_VERDICT); `chain` for JUMP and GOTO. */
export function verdictData(code: number, chain?: string): NftData {
  return { verdict: chain === undefined ? { code } : { code, chain } };
}
