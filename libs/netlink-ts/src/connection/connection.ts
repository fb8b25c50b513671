import { DecodeError } from '../wire/decode-error.ts';
import { forEachMessage, type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { decodeAcknowledgement } from './acknowledgement.ts';
import { errnoNumber } from './errno.ts';
import { asError, NetlinkError, transportError } from './netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from './request.ts';
import type { NetlinkTransport, WireTrace } from './transport.ts';

/** Requests and dumps over one socket. Synchronous: when a method returns, the kernel has done the work. */
export interface NetlinkConnection extends Disposable {
  /** Runs one request; throws a NetlinkError when the kernel refuses it. */
  execute(request: NetlinkRequest): void;
  /**
   * Runs many requests, as many per datagram as the socket's buffers allow. The kernel goes on after a refused one. At
   * index i stands the error of request i, undefined if it succeeded. Throws only when the exchange itself fails.
   */
  batch(requests: readonly NetlinkRequest[]): readonly (NetlinkError | undefined)[];
  /** Asks for one object; throws a NetlinkError when there is none. */
  get<T>(query: NetlinkQuery<T>): T;
  /**
   * Asks for all objects. A dump that the kernel marks as inconsistent is begun anew, a bounded number of times; then a
   * NetlinkError with code EINTR is thrown.
   */
  dump<T>(query: NetlinkQuery<T>): T[];
  /**
   * Sends what `write` writes as one datagram and gives each reply to `onReply` until that returns true. For
   * subsystems with an envelope of their own. `write` numbers its messages with `nextSequence`.
   */
  exchange(
    operation: string,
    write: (writer: WireWriter, nextSequence: () => number) => void,
    onReply: (frame: MessageFrame) => boolean,
  ): void;
  /** The socket's buffers, for callers of `exchange` that size their own datagrams. */
  readonly limits: { readonly sendBufferBytes: number; readonly receiveBufferBytes: number };
}

export interface NetlinkConnectionOptions {
  /** Sees every datagram. */
  readonly trace?: WireTrace | undefined;
  /** How often an interrupted dump is begun in all. Default 10. */
  readonly dumpAttempts?: number;
}

/**
 * A connection over transports that `open` gives: one now, and another one after an exchange broke down half way (lost
 * replies, time-out), because what is still under way on the old socket would be mistaken for answers to the next request.
 */
export function createNetlinkConnection(
  open: () => NetlinkTransport,
  options: NetlinkConnectionOptions = {},
): NetlinkConnection {
  return new SocketConnection(open, options);
}

/** What one unread acknowledgement takes of the receive buffer at most: sk_buff, data, extended ack text. */
const ACK_BUFFER_BYTES = 2048;

class SocketConnection implements NetlinkConnection {
  readonly #open: () => NetlinkTransport;
  readonly #trace: WireTrace | undefined;
  readonly #dumpAttempts: number;
  readonly #writer = new WireWriter();
  #transport: NetlinkTransport | undefined;
  #sequence = 0;
  #closed = false;

  constructor(open: () => NetlinkTransport, options: NetlinkConnectionOptions) {
    this.#open = open;
    this.#trace = options.trace;
    this.#dumpAttempts = options.dumpAttempts ?? 10;
    this.#transport = open();
  }

  get limits(): { readonly sendBufferBytes: number; readonly receiveBufferBytes: number } {
    return this.#connected();
  }

  execute(request: NetlinkRequest): void {
    this.exchange(
      request.operation,
      (writer, nextSequence) => writeRequest(writer, request, NLM_F.ACK, nextSequence()),
      (frame) => {
        if (frame.type !== NLMSG.ERROR) return false;
        throwIfRefused(request.operation, frame);
        return true;
      },
    );
  }

  batch(requests: readonly NetlinkRequest[]): readonly (NetlinkError | undefined)[] {
    const errors = new Array<NetlinkError | undefined>(requests.length).fill(undefined);
    for (let done = 0; done < requests.length;) done += this.#batchChunk(requests, done, errors);
    return errors;
  }

  /**
   * Sends requests from index `first` on in one datagram and returns how many. Only the last one asks for an
   * acknowledgement: the kernel works in order and always reports errors, so what is silent until then succeeded.
   */
  #batchChunk(requests: readonly NetlinkRequest[], first: number, errors: (NetlinkError | undefined)[]): number {
    const { sendBufferBytes, receiveBufferBytes } = this.#connected();
    const maxCount = Math.max(1, Math.floor(receiveBufferBytes / ACK_BUFFER_BYTES));
    // Half of the send buffer: the kernel charges its own structures to it as well.
    const maxBytes = sendBufferBytes / 2;
    let count = 0;
    let firstSequence = 0;
    const write = (writer: WireWriter, nextSequence: () => number): void => {
      let lastMark = 0;
      while (first + count < requests.length && count < maxCount) {
        const request = requests[first + count];
        if (request === undefined) break;
        const mark = writer.length;
        const sequence = nextSequence();
        writeRequest(writer, request, 0, sequence);
        if (count > 0 && writer.length > maxBytes) {
          writer.reset(mark);
          break;
        }
        if (count === 0) firstSequence = sequence;
        lastMark = mark;
        count++;
      }
      writer.orFlags(lastMark, NLM_F.ACK);
    };
    this.exchange('batch', write, (frame) => {
      if (frame.type !== NLMSG.ERROR) return false;
      const index = (frame.sequence - firstSequence) >>> 0;
      const request = requests[first + index];
      if (index >= count || request === undefined) return false;
      errors[first + index] = refusal(request.operation, frame);
      return index === count - 1;
    });
    return count;
  }

  get<T>(query: NetlinkQuery<T>): T {
    const found: T[] = [];
    this.exchange(
      query.operation,
      (writer, nextSequence) => writeRequest(writer, query, 0, nextSequence()),
      (frame) => {
        if (frame.type === NLMSG.ERROR) throwIfRefused(query.operation, frame);
        else if (frame.type !== NLMSG.DONE) pushDecoded(found, query, frame);
        return true;
      },
    );
    const [value] = found;
    if (value === undefined) throw new NetlinkError({ operation: query.operation, errno: errnoNumber('ENODATA') });
    return value;
  }

  dump<T>(query: NetlinkQuery<T>): T[] {
    for (let attempt = 1; ; attempt++) {
      const { values, interrupted } = this.#dumpOnce(query);
      if (!interrupted) return values;
      if (attempt >= this.#dumpAttempts) {
        const cause = new Error(`the objects changed during each of ${attempt} dumps`);
        throw new NetlinkError({ operation: query.operation, errno: errnoNumber('EINTR'), cause });
      }
    }
  }

  /** Reads on to the end of the dump also after a failure, so that the socket is clean for the next request. */
  #dumpOnce<T>(query: NetlinkQuery<T>): { values: T[]; interrupted: boolean } {
    const values: T[] = [];
    const progress: { interrupted: boolean; failure: Error | undefined } = { interrupted: false, failure: undefined };
    this.exchange(
      query.operation,
      (writer, nextSequence) => writeRequest(writer, query, NLM_F.DUMP, nextSequence()),
      (frame) => {
        if ((frame.flags & NLM_F.DUMP_INTR) !== 0) progress.interrupted = true;
        if (frame.type === NLMSG.ERROR || frame.type === NLMSG.DONE) {
          const error = refusal(query.operation, frame);
          if (error?.code === 'EINTR') progress.interrupted = true;
          else progress.failure ??= error;
          return true;
        }
        if (progress.failure !== undefined) return false;
        try {
          pushDecoded(values, query, frame);
        } catch (error) {
          progress.failure = asError(error);
        }
        return false;
      },
    );
    if (progress.failure !== undefined) throw progress.failure;
    return { values, interrupted: progress.interrupted };
  }

  exchange(
    operation: string,
    write: (writer: WireWriter, nextSequence: () => number) => void,
    onReply: (frame: MessageFrame) => boolean,
  ): void {
    const transport = this.#connected();
    const firstSequence = (this.#sequence + 1) >>> 0;
    this.#writer.reset();
    write(this.#writer, () => (this.#sequence = (this.#sequence + 1) >>> 0));
    const span = (this.#sequence - firstSequence) >>> 0;
    const progress: { answered: boolean; failure: Error | undefined } = { answered: false, failure: undefined };
    const onFrame = (frame: MessageFrame): void => {
      // Left over from an earlier exchange, or not meant for this socket.
      if (frame.portId !== transport.portId || (frame.sequence - firstSequence) >>> 0 > span) return;
      if (progress.answered || frame.type === NLMSG.NOOP) return;
      try {
        progress.answered = onReply(frame);
      } catch (error) {
        progress.failure = asError(error);
        progress.answered = true;
      }
    };
    try {
      const datagram = this.#writer.written;
      this.#trace?.('sent', datagram);
      transport.send(datagram);
      while (!progress.answered) {
        const reply = transport.receive();
        this.#trace?.('received', reply);
        forEachMessage(new WireSource(reply), onFrame);
      }
    } catch (error) {
      this.#drop();
      throw error instanceof DecodeError ? error.within(operation) : transportError(operation, error);
    }
    if (progress.failure !== undefined) throw progress.failure;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#drop();
  }

  #connected(): NetlinkTransport {
    if (this.#closed) throw new NetlinkError({ operation: 'use of a closed connection', errno: errnoNumber('EBADF') });
    return (this.#transport ??= this.#open());
  }

  #drop(): void {
    this.#transport?.[Symbol.dispose]();
    this.#transport = undefined;
  }
}

function writeRequest(writer: WireWriter, request: NetlinkRequest, flags: number, sequence: number): void {
  const mark = writer.beginMessage(request.type, request.flags | flags | NLM_F.REQUEST, sequence);
  request.writeBody(writer);
  writer.endMessage(mark);
}

function pushDecoded<T>(into: T[], query: NetlinkQuery<T>, frame: MessageFrame): void {
  const value = query.decode(frame);
  if (value !== undefined) into.push(value);
}

function refusal(operation: string, frame: MessageFrame): NetlinkError | undefined {
  const { errno, extendedAck } = decodeAcknowledgement(frame);
  return errno === 0 ? undefined : new NetlinkError({ operation, errno, sequence: frame.sequence, extendedAck });
}

function throwIfRefused(operation: string, frame: MessageFrame): void {
  const error = refusal(operation, frame);
  if (error !== undefined) throw error;
}
