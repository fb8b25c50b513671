/**
 * A kernel made of a function: gets each request as bytes, answers with bytes. So tests go through the same encoding,
 * framing and sequence checks as with a real socket. Exported as `netlink-ts/testing`, for tests of programs too.
 */
import { type ExtendedAck, extendedAckTable } from '../connection/acknowledgement.ts';
import type { NetlinkTransport } from '../connection/transport.ts';
import { forEachMessage, type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import type { ObjectCodec } from '../wire/object-codec.ts';
import { WireSource } from '../wire/wire-source.ts';
import { MESSAGE_HEADER_BYTES, WireWriter } from '../wire/wire-writer.ts';

/** How the peer answers one request. Each call queues one datagram. */
export interface FakeReplies {
  /** Success, as the kernel says it to a request with NLM_F_ACK. */
  ack(): void;
  /** Refusal with a positive errno. */
  error(errno: number, extendedAck?: ExtendedAck): void;
  /** An object; `flags` are those of its message (NLM_F.MULTI in dumps). */
  object<Input>(type: number, codec: ObjectCodec<unknown, Input>, value: Input, flags?: number): void;
  /** End of a dump. */
  done(options?: { readonly errno?: number; readonly flags?: number }): void;
  /** A whole datagram, as it is. */
  raw(datagram: Uint8Array): void;
}

export interface FakePeer {
  /** What `createNetlinkConnection` takes. */
  readonly open: () => NetlinkTransport;
  /** Every request since the start, in order; their bytes stay valid. */
  readonly requests: readonly MessageFrame[];
  /** Number of datagrams that they came in. */
  readonly datagramCount: number;
  /** How many transports were opened and not disposed of. */
  readonly openTransports: number;
  /** The next send or receive throws an error with this errno name in `code`. */
  failNext(operation: 'send' | 'receive', code: string): void;
}

export interface FakePeerOptions {
  readonly sendBufferBytes?: number;
  readonly receiveBufferBytes?: number;
}

const PORT_ID = 4711;

/** An empty queue answers a receive with ETIMEDOUT, as a silent kernel would. */
export function createFakePeer(
  onRequest: (request: MessageFrame, replies: FakeReplies) => void,
  options: FakePeerOptions = {},
): FakePeer {
  const requests: MessageFrame[] = [];
  const failures: { operation: 'send' | 'receive'; code: string }[] = [];
  let datagramCount = 0;
  let openTransports = 0;

  const failIfTold = (operation: 'send' | 'receive'): void => {
    const index = failures.findIndex((failure) => failure.operation === operation);
    const [failure] = index < 0 ? [] : failures.splice(index, 1);
    if (failure !== undefined) throw transportFailure(operation, failure.code);
  };

  const open = (): NetlinkTransport => {
    const queue: Uint8Array[] = [];
    openTransports++;
    return {
      portId: PORT_ID,
      sendBufferBytes: options.sendBufferBytes ?? 1024 * 1024,
      receiveBufferBytes: options.receiveBufferBytes ?? 1024 * 1024,
      send: (datagram) => {
        failIfTold('send');
        datagramCount++;
        forEachMessage(new WireSource(datagram.slice()), (request) => {
          requests.push(request);
          onRequest(request, repliesTo(request, queue));
        });
      },
      receive: () => {
        failIfTold('receive');
        const datagram = queue.shift();
        if (datagram === undefined) throw transportFailure('receive', 'ETIMEDOUT');
        return datagram;
      },
      [Symbol.dispose]: () => {
        openTransports--;
      },
    };
  };

  return {
    open,
    requests,
    get datagramCount() {
      return datagramCount;
    },
    get openTransports() {
      return openTransports;
    },
    failNext: (operation, code) => {
      failures.push({ operation, code });
    },
  };
}

/** One message as a datagram, the way the kernel sends it to the fake's socket. */
export function encodeReply(
  header: { readonly type: number; readonly flags?: number; readonly sequence?: number; readonly portId?: number },
  writeBody: (writer: WireWriter) => void,
): Uint8Array {
  const writer = new WireWriter();
  const mark = writer.beginMessage(header.type, header.flags ?? 0, header.sequence ?? 0, header.portId ?? PORT_ID);
  writeBody(writer);
  writer.endMessage(mark);
  return writer.written.slice();
}

function repliesTo(request: MessageFrame, queue: Uint8Array[]): FakeReplies {
  const { sequence } = request;
  const acknowledge = (errno: number, extendedAck: ExtendedAck | undefined): void => {
    const flags = NLM_F.CAPPED | (extendedAck === undefined ? 0 : NLM_F.ACK_TLVS);
    const writeBody = (writer: WireWriter): void => {
      writer.u32(-errno);
      writer.bytes(request.source.copy(request.payloadStart - MESSAGE_HEADER_BYTES, request.payloadStart));
      if (extendedAck !== undefined) extendedAckTable.encode(writer, extendedAck);
    };
    queue.push(encodeReply({ type: NLMSG.ERROR, flags, sequence }, writeBody));
  };
  return {
    ack: () => acknowledge(0, undefined),
    error: (errno, extendedAck) => acknowledge(errno, extendedAck),
    object: (type, codec, value, flags = 0) => {
      queue.push(encodeReply({ type, flags, sequence }, (writer) => codec.encode(writer, value)));
    },
    done: ({ errno = 0, flags = 0 } = {}) => {
      queue.push(
        encodeReply({ type: NLMSG.DONE, flags: NLM_F.MULTI | flags, sequence }, (writer) => writer.u32(-errno)),
      );
    },
    raw: (datagram) => {
      queue.push(datagram);
    },
  };
}

function transportFailure(operation: string, code: string): Error {
  return Object.assign(new Error(`${operation}: ${code}`), { code });
}
