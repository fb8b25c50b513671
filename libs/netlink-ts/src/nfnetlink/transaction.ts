/**
 * All or nothing: requests between a begin and an end message, in one datagram, become one transaction of the subsystem.
 *
 *     | batch begin [generation] | request | … | request + ACK | batch end |
 *
 * The kernel prepares every request, then commits them together or none of them.
 */
import { decodeAcknowledgement } from '../connection/acknowledgement.ts';
import type { NetlinkConnection } from '../connection/connection.ts';
import { NetlinkError } from '../connection/netlink-error.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import type { WireWriter } from '../wire/wire-writer.ts';
import { nfgenmsg } from './header.ts';

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_BATCH_GENID = 1;

export interface TransactionOptions {
  /**
   * Generation that the requests were made for: the kernel refuses them with ERESTART (85) when anybody has changed
   * anything of the subsystem since.
   */
  readonly generation?: number;
  /** The kernel prepares every request, says what it thinks of them, and commits nothing: there is no end message. */
  readonly dryRun?: boolean;
}

/**
 * Runs the requests as one transaction of the subsystem (NFNL_SUBSYS). Throws a NetlinkError that names the first request
 * which the kernel refused; nothing has changed then. The whole transaction must fit into the socket's send buffer.
 */
export function runTransaction(
  connection: NetlinkConnection,
  subsystem: number,
  requests: readonly NetlinkRequest[],
  options: TransactionOptions = {},
): void {
  if (requests.length === 0) throw new TypeError('a transaction needs at least one request');
  const state = new TransactionState(requests);
  connection.exchange(
    'transaction',
    (writer, nextSequence) => {
      state.beginSequence = nextSequence();
      writeEnvelope(writer, NFNL_MSG_BATCH_BEGIN, state.beginSequence, subsystem, options.generation);
      for (const [index, request] of requests.entries()) {
        const ack = index === requests.length - 1 ? NLM_F.ACK : 0;
        const mark = writer.beginMessage(request.type, request.flags | NLM_F.REQUEST | ack, nextSequence());
        request.writeBody(writer);
        writer.endMessage(mark);
      }
      if (options.dryRun === true) return;
      writeEnvelope(writer, NFNL_MSG_BATCH_END, nextSequence(), subsystem, undefined);
    },
    (frame) => state.onReply(frame),
  );
  if (state.error !== undefined) throw state.error;
}

/**
 * What the kernel answers. Errors of single requests come together when the batch has been gone through, in order; that
 * of the last one, which asked for an acknowledgement, ends them. An error that bears the number of the begin message
 * concerns the whole (no permission, wrong generation, no memory, commit refused) and may be the only answer.
 */
class TransactionState {
  readonly #requests: readonly NetlinkRequest[];
  beginSequence = 0;
  error: NetlinkError | undefined;

  constructor(requests: readonly NetlinkRequest[]) {
    this.#requests = requests;
  }

  onReply(frame: MessageFrame): boolean {
    if (frame.type !== NLMSG.ERROR) return false;
    const { errno, extendedAck } = decodeAcknowledgement(frame);
    const position = (frame.sequence - this.beginSequence) >>> 0;
    if (errno !== 0) {
      const operation = this.#requests[position - 1]?.operation ?? 'transaction';
      this.error ??= new NetlinkError({ operation, errno, sequence: frame.sequence, extendedAck });
    }
    return position === 0 ? errno !== 0 : position === this.#requests.length;
  }
}

function writeEnvelope(
  writer: WireWriter,
  type: number,
  sequence: number,
  subsystem: number,
  generation: number | undefined,
): void {
  const mark = writer.beginMessage(type, NLM_F.REQUEST, sequence);
  nfgenmsg.encode(writer, { resourceId: subsystem });
  if (generation !== undefined) {
    const attribute = writer.beginAttribute(NFNL_BATCH_GENID);
    writer.be32(generation);
    writer.endAttribute(attribute);
  }
  writer.endMessage(mark);
}
