import type { MessageFrame } from '../wire/message.ts';
import type { WireWriter } from '../wire/wire-writer.ts';

/** One message to the kernel, not yet numbered. Made by the objects' `newX`/`delX` functions, run by a connection. */
export interface NetlinkRequest {
  /** What it does, for errors: `new route`. */
  readonly operation: string;
  /** nlmsg_type. */
  readonly type: number;
  /** nlmsg_flags beside NLM_F_REQUEST, NLM_F_ACK and NLM_F_DUMP, which the connection sets. */
  readonly flags: number;
  /** Writes what follows the message header. */
  readonly writeBody: (writer: WireWriter) => void;
}

/** A request that is answered with objects. */
export interface NetlinkQuery<T> extends NetlinkRequest {
  /** Reads one answer; undefined leaves it out. */
  readonly decode: (frame: MessageFrame) => T | undefined;
}
