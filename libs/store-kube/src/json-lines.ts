import { StoreError } from '@canal/store-port';

/**
 * Splits a byte stream at newlines. A line longer than `maxBytes` is refused: what an API server stores is at most
 * 1.5 MiB an object (etcd's request limit), so a longer one is a broken or hostile peer.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const keep = (part: Uint8Array): void => {
    heldBytes += part.length;
    if (heldBytes > maxBytes) {
      throw new StoreError('unavailable', `watch line is longer than ${String(maxBytes)} bytes`);
    }
    held.push(part);
  };
  const take = (): string => {
    const [only] = held;
    const bytes = held.length === 1 && only !== undefined ? only : Buffer.concat(held);
    held = [];
    heldBytes = 0;
    return decoder.decode(bytes);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      keep(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  // Whatever is left was cut off in the middle: the connection ended, and the resumed watch repeats it whole.
}

const NEWLINE = 0x0a;
