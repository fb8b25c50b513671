import { type MessageShape, readMessage } from './message.ts';
import { malformed, WireReader } from './wire-reader.ts';

/** Media type. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** What Kubernetes puts before each object: "k8s" and a zero byte, then runtime.Unknown with the object in field 2. */
export const MAGIC = Buffer.from('k8s\0', 'latin1');

/** The object within, with the kind that the envelope names. */
export function readEnvelope(
  bytes: Buffer,
  shapeOf: (kind: string) => MessageShape,
): { readonly kind: string; readonly object: Record<string, unknown> } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('it does not begin as one');
  const reader = new WireReader(bytes, MAGIC.length);
  let kind = '';
  let raw: WireReader | undefined;
  while (reader.next()) {
    if (reader.number === 1) kind = kindOf(reader.message());
    else if (reader.number === 2) raw = reader.message();
    else reader.skip();
  }
  if (raw === undefined) throw malformed('it holds no object');
  return { kind, object: readMessage(raw, shapeOf(kind)) };
}

function kindOf(reader: WireReader): string {
  let kind = '';
  while (reader.next()) {
    if (reader.number === 2) kind = reader.text();
    else reader.skip();
  }
  return kind;
}
