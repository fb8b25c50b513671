/**
 * Entries of a large table, read as far as telling flows apart needs: at a fraction of what `conntrackCodec` costs, because
 * one object takes the fields of one entry after the other.
 */
import type { Ip } from 'net-types';
import { nfgenmsg } from '../nfnetlink/header.ts';
import { attributeType, forEachAttribute } from '../wire/attribute-walk.ts';
import { DecodeError } from '../wire/decode-error.ts';
import type { MessageFrame } from '../wire/message.ts';
import { be16, be32, ipv4, ipv6, u8 } from '../wire/scalars.ts';
import { WireSource } from '../wire/wire-source.ts';
import { CTA } from './constants.ts';

const EMPTY = new WireSource(new Uint8Array());
const CTA_TUPLE = { IP: 1, PROTO: 2, ZONE: 3 } as const;
const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, SRC_PORT: 2 } as const;

/** One direction of the entry; what it does not say is undefined, and zone 0. */
export class TupleScan {
  source: Ip | undefined;
  destination: Ip | undefined;
  /** IP protocol number. */
  protocol: number | undefined;
  sourcePort: number | undefined;
  zone = 0;
  /** Where it lies in the datagram. */
  start = 0;
  end = 0;
  #source = EMPTY;

  reset(): void {
    this.source = undefined;
    this.destination = undefined;
    this.protocol = undefined;
    this.sourcePort = undefined;
    this.zone = 0;
    this.start = 0;
    this.end = 0;
  }

  read(source: WireSource, start: number, end: number): void {
    this.#source = source;
    this.start = start;
    this.end = end;
    forEachAttribute(source, start, end, this.#onPart);
  }

  readonly #onPart = (rawType: number, start: number, end: number): void => {
    switch (attributeType(rawType)) {
      case CTA_TUPLE.IP:
        forEachAttribute(this.#source, start, end, this.#onAddress);
        break;
      case CTA_TUPLE.PROTO:
        forEachAttribute(this.#source, start, end, this.#onProtocol);
        break;
      case CTA_TUPLE.ZONE:
        this.zone = be16.decode(this.#source, start, end) ?? 0;
        break;
    }
  };

  readonly #onAddress = (rawType: number, start: number, end: number): void => {
    switch (attributeType(rawType)) {
      case CTA_IP.V4_SRC:
        this.source = ipv4.decode(this.#source, start, end);
        break;
      case CTA_IP.V4_DST:
        this.destination = ipv4.decode(this.#source, start, end);
        break;
      case CTA_IP.V6_SRC:
        this.source = ipv6.decode(this.#source, start, end);
        break;
      case CTA_IP.V6_DST:
        this.destination = ipv6.decode(this.#source, start, end);
        break;
    }
  };

  readonly #onProtocol = (rawType: number, start: number, end: number): void => {
    switch (attributeType(rawType)) {
      case CTA_PROTO.NUM:
        this.protocol = u8.decode(this.#source, start, end);
        break;
      case CTA_PROTO.SRC_PORT:
        this.sourcePort = be16.decode(this.#source, start, end);
        break;
    }
  };
}

/** Names an entry in requests, by its original tuple as the kernel gave it. */
export interface ScannedKey {
  /** NFPROTO. */
  readonly family: number;
  readonly tuple: Uint8Array;
}

export class ConntrackScan {
  /** NFPROTO. */
  family = 0;
  mark = 0;
  /** Of both directions. */
  zone = 0;
  readonly original = new TupleScan();
  readonly reply = new TupleScan();
  #source = EMPTY;

  /** Takes the fields of the next entry of a listing, in place of those of the one before. Throws a DecodeError. */
  read({ source, payloadStart, payloadEnd }: MessageFrame): void {
    if (payloadEnd - payloadStart < nfgenmsg.bytes) throw new DecodeError('conntrack', payloadStart, 'no header');
    this.#source = source;
    this.family = source.u8(payloadStart);
    this.mark = 0;
    this.zone = 0;
    this.original.reset();
    this.reply.reset();
    forEachAttribute(source, payloadStart + nfgenmsg.bytes, payloadEnd, this.#onAttribute);
  }

  /** A copy, which outlives the entry's datagram. */
  key(): ScannedKey {
    return { family: this.family, tuple: this.#source.copy(this.original.start, this.original.end) };
  }

  readonly #onAttribute = (rawType: number, start: number, end: number): void => {
    switch (attributeType(rawType)) {
      case CTA.TUPLE_ORIG:
        this.original.read(this.#source, start, end);
        break;
      case CTA.TUPLE_REPLY:
        this.reply.read(this.#source, start, end);
        break;
      case CTA.MARK:
        this.mark = be32.decode(this.#source, start, end) ?? 0;
        break;
      case CTA.ZONE:
        this.zone = be16.decode(this.#source, start, end) ?? 0;
        break;
    }
  };
}
