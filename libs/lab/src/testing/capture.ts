/** tcpdump in a namespace: what the wire carries, judged by a program that is not ours. */
import { inNamespace } from '../namespaces.ts';

export interface Capture extends AsyncDisposable {
  /** What was captured up to now: each packet as tcpdump prints it, without its time, encapsulated ones
   *  with the inner packet behind it. */
  packets(): Promise<readonly string[]>;
}

/** Captures on all devices of the namespace; returns when the capture has begun. */
export async function startCapture(namespace: string, filter: string): Promise<Capture> {
  // Takes the datagram that marks the end, on a port of its own.
  const mark = await openUdp(namespace);
  const isMark = `> 127.0.0.1.${mark.port}:`;
  const expression = `(${filter}) or (host 127.0.0.1 and udp dst port ${mark.port})`;
  // A slot of the kernel's ring has the size of the snapshot: with the default of 256 KiB a dozen packets fill it.
  const options = [
    '-i',
    'any',
    '-nn',
    '-l',
    '-s',
    '256',
    '-B',
    '4096',
    '--immediate-mode',
    '-Z',
    'root',
    '-T',
    'vxlan',
  ];
  const child = inNamespace(namespace, () =>
    Bun.spawn(['tcpdump', ...options, expression], { stdout: 'pipe', stderr: 'pipe' }),
  );
  const output = collect(child.stdout);
  await collect(child.stderr).until('listening on');
  return {
    packets: async () => {
      const sender = await openUdp(namespace);
      try {
        // What was captured before the mark has been printed when the mark is: an early signal would lose it.
        sender.send('end', mark.port, '127.0.0.1');
        return joinInner(await output.until(isMark)).filter((packet) => !packet.includes(isMark));
      } finally {
        sender.close();
      }
    },
    [Symbol.asyncDispose]: async () => {
      mark.close();
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

async function openUdp(namespace: string): Promise<Bun.udp.Socket<'buffer'>> {
  const options = { hostname: '127.0.0.1', socket: { data: () => undefined } };
  const { opening } = inNamespace(namespace, () => ({ opening: Bun.udpSocket(options) }));
  return await opening;
}

/**
 * tcpdump prints the inner packet of a tunnel on a line of its own, without a time. The time is taken off: its digits
 * would be found by a test that looks for a port.
 */
function joinInner(text: string): readonly string[] {
  const packets: string[] = [];
  for (const line of text.split('\n')) {
    const timed = /^\d\d:\d\d:\d\d\.\d+ (.*)$/.exec(line);
    if (timed !== null) packets.push(timed[1] ?? '');
    else if (line !== '') packets[packets.length - 1] = `${packets.at(-1) ?? ''} | ${line}`;
  }
  return packets;
}

/** Reads a stream to its end in the background; `until` waits for a text in it and gives all that has come. */
function collect(stream: ReadableStream<Uint8Array>): { until(text: string): Promise<string> } {
  const decoder = new TextDecoder();
  let seen = '';
  let ended = false;
  let changed = Promise.withResolvers<undefined>();
  const read = async (): Promise<void> => {
    for await (const chunk of stream) {
      seen += decoder.decode(chunk, { stream: true });
      changed.resolve(undefined);
    }
    ended = true;
    changed.resolve(undefined);
  };
  void read();
  return {
    until: async (text) => {
      while (!seen.includes(text)) {
        if (ended) throw new Error(`tcpdump has ended: ${seen}`);
        await changed.promise;
        changed = Promise.withResolvers();
      }
      return seen;
    },
  };
}
