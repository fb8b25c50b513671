/** A process with sockets in many namespaces: probes run at the same time, so that a matrix of denials costs one wait. */

/** A namespace, such as a TestNetns. */
export interface ProbePlace {
  readonly path: string;
}

export type ProbeResult =
  | 'open'
  /** UDP: it arrived, and its answer did not. */
  | 'one-way'
  /** There, and nobody listens. */
  | 'refused'
  | 'closed';

export interface ProbeQuestion {
  readonly from: ProbePlace;
  /** Address to send from. */
  readonly source: string;
  readonly target: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly port?: number;
  readonly sourcePort?: number;
}

/** A packet made by hand. `body` is hex behind the header; `flags` of TCP as `SA`; `type` and `code` of ICMP. */
export interface CraftedPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp' | number;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly flags?: string;
  /** Of TCP. */
  readonly sequence?: number;
  readonly type?: number;
  readonly code?: number;
  readonly body?: string;
  /** What an ICMP error is about, behind `body`. */
  readonly quote?: CraftedPacket;
}

export interface CraftedArp {
  readonly source: string;
  readonly destination: string;
  /** 1 request, 2 reply. */
  readonly op: number;
  readonly senderMac: string;
  readonly sender: string;
  readonly target: string;
}

/** Without `device` the namespace's routes decide where it goes; with it the frame goes out there as it is. */
export type Injection = { readonly from: ProbePlace; readonly count?: number } & (
  | { readonly packet: CraftedPacket }
  | {
      readonly device: string;
      readonly packet: CraftedPacket;
      readonly sourceMac: string;
      readonly destinationMac: string;
      /** Hex: what is between the MACs and the type of the packet. */
      readonly tags?: string;
    }
  | { readonly device: string; readonly arp: CraftedArp }
);

/** What came in at a namespace. `arp` is the operation. */
export interface SeenPacket {
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly flags?: string;
  readonly type?: number;
  readonly arp?: number;
  readonly sender?: string;
}

export interface Prober extends AsyncDisposable {
  /** Echo servers. */
  listen(
    where: ProbePlace,
    address: string,
    ports: { readonly tcp?: number[]; readonly udp?: number[] },
  ): Promise<void>;
  /** All at once; those without an answer are `closed` after `waitMs` (default 50). */
  probe(questions: readonly ProbeQuestion[], waitMs?: number): Promise<ProbeResult[]>;
  /** Opens a TCP connection (or UDP flow) that stays, under a name. */
  open(name: string, question: ProbeQuestion): Promise<ProbeResult>;
  /** Whether what is sent on it comes back. */
  talk(name: string, waitMs?: number): Promise<boolean>;
  /** Number of the next byte that an open TCP connection sends. */
  sequence(name: string): Promise<number>;
  /** Sends, and gives what came in at each of the namespaces meanwhile. */
  inject(packets: readonly Injection[], watch: readonly ProbePlace[], waitMs?: number): Promise<SeenPacket[][]>;
}

export function createProber(): Prober {
  const child = Bun.spawn(['python3', new URL('prober.py', import.meta.url).pathname], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const lines = readLines(child.stdout);
  let last: Promise<unknown> = Promise.resolve();
  const ask = (request: object): Promise<unknown> => {
    const answered = last.then(async () => {
      void child.stdin.write(`${JSON.stringify(request)}\n`);
      await child.stdin.flush();
      const { value: line } = await lines.next();
      if (line === undefined) throw new Error('the prober ended');
      const answer = JSON.parse(line) as { value?: unknown; error?: string };
      if (answer.error !== undefined) throw new Error(`prober: ${answer.error}: ${JSON.stringify(request)}`);
      return answer.value;
    });
    // One question that failed is no answer to the next.
    last = answered.catch(() => undefined);
    return answered;
  };
  const plain = ({ from, ...rest }: ProbeQuestion): object => ({ ns: from.path, ...rest });
  return {
    listen: async (where, address, ports) => {
      await ask({ op: 'listen', ns: where.path, address, ...ports });
    },
    probe: (questions, waitMs = 50) =>
      ask({ op: 'probe', probes: questions.map(plain), waitMs }) as Promise<ProbeResult[]>,
    open: async (name, question) => {
      const [result] = (await ask({
        op: 'probe',
        probes: [plain(question)],
        waitMs: 200,
        keep: name,
      })) as ProbeResult[];
      return result ?? 'closed';
    },
    talk: (name, waitMs = 50) => ask({ op: 'talk', name, waitMs }) as Promise<boolean>,
    sequence: (name) => ask({ op: 'sequence', name }) as Promise<number>,
    inject: (packets, watch, waitMs = 30) =>
      ask({
        op: 'inject',
        send: packets.map(({ from, ...rest }) => ({ ns: from.path, ...rest })),
        watchIn: watch.map(({ path }) => path),
        waitMs,
      }) as Promise<SeenPacket[][]>,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  return undefined;
}
