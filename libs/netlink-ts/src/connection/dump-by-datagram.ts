import { type MessageFrame, forEachMessage, NLM_F, NLMSG } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { decodeAcknowledgement } from './acknowledgement.ts';
import { NetlinkError, transportError } from './netlink-error.ts';
import type { NetlinkQuery } from './request.ts';
import type { NetlinkTransport } from './transport.ts';

/**
 * A dump in steps: each step receives one datagram of the kernel's (up to 32 KiB) and calls `visit` with its messages,
 * so that the caller can let other work go between two steps, and nobody holds all objects at once. The socket can do
 * nothing else until the end; give it one of its own. An entry may come twice, or (when it is made meanwhile) not at
 * all; an interrupted dump (NLM_F_DUMP_INTR) is a NetlinkError with code EINTR at its end. Throws NetlinkError and
 * what `visit` throws.
 */
export function* dumpByDatagram(
  transport: NetlinkTransport,
  { operation, type, flags, writeBody }: Omit<NetlinkQuery<unknown>, 'decode'>,
  visit: (frame: MessageFrame) => void,
): Generator<undefined, void, undefined> {
  const writer = new WireWriter();
  const mark = writer.beginMessage(type, flags | NLM_F.REQUEST | NLM_F.DUMP, SEQUENCE);
  writeBody(writer);
  writer.endMessage(mark);
  attempt(operation, () => transport.send(writer.written));
  const state: { interrupted: boolean; end: MessageFrame | undefined } = { interrupted: false, end: undefined };
  for (;;) {
    const datagram = attempt(operation, () => transport.receive());
    forEachMessage(new WireSource(datagram), (frame) => {
      if (frame.portId !== transport.portId || frame.sequence !== SEQUENCE) return;
      if ((frame.flags & NLM_F.DUMP_INTR) !== 0) state.interrupted = true;
      if (frame.type === NLMSG.ERROR || frame.type === NLMSG.DONE) state.end = frame;
      else visit(frame);
    });
    if (state.end !== undefined) break;
    yield undefined;
  }
  const { errno, extendedAck } = decodeAcknowledgement(state.end);
  if (errno !== 0) throw new NetlinkError({ operation, errno, extendedAck });
  if (state.interrupted) throw new NetlinkError({ operation, errno: EINTR });
}

const SEQUENCE = 1;
const EINTR = 4;

function attempt<T>(operation: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw transportError(operation, error);
  }
}
