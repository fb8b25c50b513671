/** Requests of ours beside those that another program sent for the same. */
import type { NetlinkRequest } from '../connection/request.ts';
import { NLM_F } from '../wire/message.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { attributeTree } from './attribute-tree.ts';
import { capturedMessages } from './captured.ts';

/** A message in a form in which equal ones are equal. */
interface Shape {
  readonly type: number;
  readonly flags: number;
  readonly body: unknown;
}

export interface RequestPair {
  readonly index: number;
  readonly operation: string;
  /** Undefined: there are fewer. */
  readonly ours: Shape | undefined;
  readonly theirs: Shape | undefined;
}

/** `captured`: the datagram of a transaction in hexadecimal. `tree`: a body, whatever the order of its attributes. */
export function pairRequests(
  requests: readonly NetlinkRequest[],
  captured: string,
  tree: (type: number, body: Uint8Array) => unknown = (_type, body) => attributeTree(body),
): readonly RequestPair[] {
  const ours = requests.map(({ type, flags, writeBody }): Shape => {
    const writer = new WireWriter();
    writeBody(writer);
    return { type, flags: flags | NLM_F.REQUEST, body: tree(type, writer.written) };
  });
  // Between the messages that begin and end the transaction.
  const theirs = capturedMessages(captured)
    .slice(1, -1)
    .map(({ type, flags, source, payloadStart, payloadEnd }): Shape => {
      return { type, flags, body: tree(type, source.copy(payloadStart, payloadEnd)) };
    });
  return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => {
    const operation = requests[index]?.operation ?? 'none of ours';
    return { index, operation, ours: ours[index], theirs: theirs[index] };
  });
}
