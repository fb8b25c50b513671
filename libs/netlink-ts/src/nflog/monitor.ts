import { decodeAcknowledgement } from '../connection/acknowledgement.ts';
import { NetlinkError, transportError } from '../connection/netlink-error.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import type { NetlinkEventTransport, WireTrace } from '../connection/transport.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { forEachMessage, type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { bindNflogGroup, type NflogSettings, unbindNflogGroup } from './config.ts';
import { NFULNL_CFG_F } from './constants.ts';
import { isNflogPacket, type NflogPacket, nflogPacketCodec } from './packet.ts';

/** The group belongs to the socket that asked for it: packets come to the one that the request went out by. */
export interface NflogTransport extends NetlinkEventTransport {
  send(datagram: Uint8Array): void;
}

export interface NflogMonitorOptions extends Omit<NflogSettings, 'flags'> {
  readonly group: number;
  /** Ends the iteration and closes the socket. */
  readonly signal?: AbortSignal | undefined;
  readonly trace?: WireTrace | undefined;
  /** Asked before a packet is decoded; one that is not wanted costs next to nothing and counts as lost. */
  readonly admit?: () => boolean;
}

export interface NflogEvent {
  readonly packet: NflogPacket;
  /**
   * Packets lost since the event before: dropped by the kernel because they were not read in time, or not admitted. A
   * socket that the kernel broke off counts as one; how many it had lost is not known then.
   */
  readonly lost: number;
}

/**
 * Packets of one group, from this call on. Also the way to end it: `using`, the signal, or leaving the loop. When the
 * transport fails with ENOBUFS a new one is opened; better is a socket with NETLINK_NO_ENOBUFS, which goes on, and
 * whose gaps the packets' numbers tell. The iteration throws a NetlinkError when the kernel refuses (EPERM: also when
 * another socket has the group).
 */
export function createNflogMonitor(
  open: () => NflogTransport,
  options: NflogMonitorOptions,
): Disposable & AsyncIterable<NflogEvent> {
  return new Monitor(open, options);
}

class Monitor implements Disposable, AsyncIterable<NflogEvent> {
  readonly #open: () => NflogTransport;
  readonly #options: NflogMonitorOptions;
  readonly #close = (): void => this[Symbol.dispose]();
  #transport: NflogTransport;
  #closed = false;
  /** Number of the next packet. */
  #next = 0;
  #lost = 0;

  constructor(open: () => NflogTransport, options: NflogMonitorOptions) {
    this.#open = open;
    this.#options = options;
    this.#transport = open();
    if (options.signal?.aborted === true) this.#close();
    else this.#bind();
    options.signal?.addEventListener('abort', this.#close, { once: true });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<NflogEvent> {
    try {
      while (!this.#closed) {
        const datagrams = await this.#read();
        if (datagrams === undefined) return;
        yield* this.#events(datagrams);
      }
    } finally {
      this.#close();
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.signal?.removeEventListener('abort', this.#close);
    this.#release();
  }

  /** A transport may close its socket only later; the group is free at once. */
  #release(): void {
    try {
      this.#send(unbindNflogGroup(this.#options.group), NLM_F.REQUEST);
    } catch {
      // It ends with the socket as well.
    }
    this.#transport[Symbol.dispose]();
  }

  #bind(): void {
    const { group, copyBytes, bufferBytes, timeoutCentiseconds, threshold } = this.#options;
    const request = bindNflogGroup(group, {
      copyBytes,
      ...(bufferBytes !== undefined && { bufferBytes }),
      ...(timeoutCentiseconds !== undefined && { timeoutCentiseconds }),
      ...(threshold !== undefined && { threshold }),
      flags: NFULNL_CFG_F.SEQ,
    });
    this.#send(request, NLM_F.REQUEST | NLM_F.ACK);
    this.#next = 0;
  }

  #send({ operation, type, writeBody }: NetlinkRequest, flags: number): void {
    const writer = new WireWriter();
    const mark = writer.beginMessage(type, flags, 0);
    writeBody(writer);
    writer.endMessage(mark);
    this.#options.trace?.('sent', writer.written);
    try {
      this.#transport.send(writer.written);
    } catch (error) {
      throw transportError(operation, error);
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      const datagrams = await this.#transport.read();
      if (datagrams !== undefined) this.#options.trace?.('received', datagrams);
      return this.#closed ? undefined : datagrams;
    } catch (cause) {
      if (this.#closed) return undefined;
      const error = transportError('read nflog', cause);
      if (!(error instanceof NetlinkError) || error.code !== 'ENOBUFS') throw error;
      // The old socket goes first: it has the group.
      this.#release();
      this.#transport = this.#open();
      this.#bind();
      this.#lost++;
      return new Uint8Array();
    }
  }

  /** One by one, so that nothing is decoded before it is asked for. */
  *#events(datagrams: Uint8Array): Generator<NflogEvent> {
    for (const frame of framesOf(datagrams)) {
      if (this.#closed) return;
      if (frame.type === NLMSG.ERROR) throwRefusal(frame);
      if (!isNflogPacket(frame) || this.#options.admit?.() === false) continue;
      const packet = decodePacket(frame);
      if (packet !== undefined) yield { packet, lost: this.#countLost(packet.sequence) };
    }
  }

  /** What was not admitted, not readable or dropped by the kernel is missing in the numbers. */
  #countLost(sequence = this.#next): number {
    const lost = this.#lost + ((sequence - this.#next) >>> 0);
    this.#next = (sequence + 1) >>> 0;
    this.#lost = 0;
    return lost;
  }
}

/** The messages up to the first that is broken. */
function framesOf(datagrams: Uint8Array): MessageFrame[] {
  const frames: MessageFrame[] = [];
  try {
    forEachMessage(new WireSource(datagrams), (frame) => frames.push(frame));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return frames;
}

function decodePacket({ source, payloadStart, payloadEnd }: MessageFrame): NflogPacket | undefined {
  try {
    return nflogPacketCodec.decode(source, payloadStart, payloadEnd);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function throwRefusal(frame: MessageFrame): void {
  const { errno, extendedAck } = decodeAcknowledgement(frame);
  if (errno !== 0) throw new NetlinkError({ operation: 'bind nflog group', errno, extendedAck });
}
