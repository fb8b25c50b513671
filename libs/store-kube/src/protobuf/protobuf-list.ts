import { MAGIC } from './envelope.ts';
import { LIST_META } from './kubernetes-shapes.ts';
import { type MessageShape, readMessage } from './message.ts';
import { malformed, MAX_VARINT_BYTES, WIRE, WireReader } from './wire-reader.ts';

/**
 * Reads a list in Kubernetes' protobuf from a byte stream, one item at a time, so that a list never stands in memory as
 * a whole: `k8s\0`, runtime.Unknown with the list in field 2, its ListMeta in field 1 and its items in field 2.
 */
export class ProtobufListDecoder {
  readonly #onItem: (item: Record<string, unknown>) => void;
  readonly #item: MessageShape;
  readonly #maxItemBytes: number;
  /** Bytes that no whole field could be made of yet. */
  #held: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that must be there before another try is worth it: a long item is not joined again with each chunk. */
  #wanted = 0;
  #state: 'magic' | 'envelope' | 'list' | 'done' = 'magic';
  /** Of the list within the envelope, not read yet. */
  #listBytes = 0;
  #metadata: Record<string, unknown> = {};

  constructor(item: MessageShape, onItem: (item: Record<string, unknown>) => void, maxItemBytes: number) {
    this.#item = item;
    this.#onItem = onItem;
    this.#maxItemBytes = maxItemBytes;
  }

  push(chunk: Uint8Array): void {
    this.#parts.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return;
    this.#wanted = 0;
    this.#held = this.#parts.length === 1 ? (this.#parts[0] ?? this.#held) : Buffer.concat(this.#parts);
    let at = 0;
    for (;;) {
      const end = this.#step(at);
      if (end === undefined) break;
      at = end;
    }
    const rest = this.#held.subarray(at);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
  }

  /** The list without its items; throws when the stream ended early. */
  finish(): { readonly metadata: unknown } {
    if (this.#state !== 'done') throw malformed('the list was cut short');
    return { metadata: this.#metadata };
  }

  /** Reads one field from there; gives where it ends, or undefined when more bytes are needed. */
  #step(at: number): number | undefined {
    switch (this.#state) {
      case 'magic':
        if (this.#held.length < MAGIC.length) return undefined;
        if (!this.#held.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('it does not begin as one');
        this.#state = 'envelope';
        return MAGIC.length;
      case 'envelope':
        return this.#envelopeField(at);
      case 'list':
        return this.#listField(at);
      case 'done':
        return this.#held.length > at ? this.#held.length : undefined;
    }
  }

  #envelopeField(at: number): number | undefined {
    const head = this.#head(at);
    if (head === undefined) return undefined;
    if (head.number === 2) {
      this.#state = 'list';
      this.#listBytes = head.length;
      return head.start;
    }
    return this.#whole(at, head);
  }

  #listField(at: number): number | undefined {
    if (this.#listBytes === 0) {
      this.#state = 'done';
      return at;
    }
    const head = this.#head(at);
    if (head === undefined) return undefined;
    const end = this.#whole(at, head);
    if (end === undefined) return undefined;
    this.#listBytes -= end - at;
    if (this.#listBytes < 0) throw malformed('an item ends behind its list');
    if (head.number === 1) this.#metadata = readMessage(new WireReader(this.#held, head.start, end), LIST_META);
    else if (head.number === 2) this.#onItem(readMessage(new WireReader(this.#held, head.start, end), this.#item));
    return end;
  }

  #whole(at: number, { start, length }: Head): number | undefined {
    if (length > this.#maxItemBytes) throw malformed(`an item is longer than ${this.#maxItemBytes} bytes`);
    const end = start + length;
    if (end <= this.#held.length) return end;
    this.#wanted = end - at;
    return undefined;
  }

  /** Tag and length of the field there; all that stand here are bytes. Undefined when they are not all there. */
  #head(at: number): Head | undefined {
    const tagEnd = varintEnd(this.#held, at);
    const lengthEnd = tagEnd === undefined ? undefined : varintEnd(this.#held, tagEnd);
    if (tagEnd === undefined || lengthEnd === undefined) return undefined;
    const tag = new WireReader(this.#held, at, tagEnd).varint();
    if (tag % 8 !== WIRE.BYTES) throw malformed(`field ${Math.floor(tag / 8)} of a list is no message`);
    const length = new WireReader(this.#held, tagEnd, lengthEnd).varint();
    return { number: Math.floor(tag / 8), start: lengthEnd, length };
  }
}

interface Head {
  readonly number: number;
  readonly start: number;
  readonly length: number;
}

function varintEnd(bytes: Buffer, start: number): number | undefined {
  for (let at = start; at < bytes.length; at += 1) {
    if ((bytes[at] ?? 0) < 0x80) return at + 1;
    if (at - start >= MAX_VARINT_BYTES - 1) throw malformed('a number is too long');
  }
  return undefined;
}
