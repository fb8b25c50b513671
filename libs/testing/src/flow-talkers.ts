/** A process with the ends of flows in several namespaces; either end talks, both or none, as told. */
import type { TestNetns } from './test-netns.ts';

export interface TalkOptions {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly client: TestNetns;
  readonly server: TestNetns;
  /** Address of the client. */
  readonly source: string;
  /** Address that the server listens on. */
  readonly listen: string;
  /** Where the client sends to. Default: where the server listens. */
  readonly target?: string;
  /** Of ICMP: the identifier. */
  readonly sourcePort: number;
  readonly port?: number;
  /** Default: `port`. */
  readonly targetPort?: number;
}

export type Side = 'client' | 'server';

/** Bytes (TCP) or messages that came to each end. */
export type Heard = Readonly<Record<Side, number>>;

export interface FlowTalkers extends AsyncDisposable {
  /** Opens a flow under a name; throws when there is no answer. */
  open(name: string, options: TalkOptions): Promise<void>;
  /** Whether it can be opened; it is closed again. */
  canOpen(options: TalkOptions): Promise<boolean>;
  /** From now on these ends send a message every 20 ms. */
  speak(name: string, sides: readonly Side[]): Promise<void>;
  heard(name: string): Promise<Heard>;
  /** What comes to each end within the time. */
  hearFor(name: string, ms: number): Promise<Heard>;
}

export function startFlowTalkers(): FlowTalkers {
  const child = Bun.spawn(['python3', new URL('flow-talkers.py', import.meta.url).pathname], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const answers = linesOf(child.stdout);
  let queue: Promise<unknown> = Promise.resolve();
  const ask = (command: object): Promise<unknown> => {
    const answer = queue.then(async () => {
      await child.stdin.write(`${JSON.stringify(command)}\n`);
      await child.stdin.flush();
      const { value, done } = await answers.next();
      if (done === true) throw new Error('the process of the flows is gone');
      return JSON.parse(value) as unknown;
    });
    queue = answer.catch(() => undefined);
    return answer;
  };
  const tryOpen = (name: string, { client, server, ...options }: TalkOptions): Promise<unknown> =>
    ask({ do: 'open', name, port: 0, target: options.listen, ...options, client: client.path, server: server.path });
  const heard = (name: string): Promise<Heard> => ask({ do: 'heard', name }) as Promise<Heard>;
  return {
    async open(name, options) {
      const answer = await tryOpen(name, options);
      if (answer !== true) throw new Error(`flow ${name}: ${String(answer)}`);
    },
    async canOpen(options) {
      const opened = (await tryOpen('attempt', options)) === true;
      if (opened) await ask({ do: 'close', name: 'attempt' });
      return opened;
    },
    async speak(name, sides) {
      await ask({ do: 'speak', name, sides });
    },
    heard,
    async hearFor(name, ms) {
      const before = await heard(name);
      await Bun.sleep(ms);
      const after = await heard(name);
      return { client: after.client - before.client, server: after.server - before.server };
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.end();
      await child.exited;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const piece of stream) {
    pending += decoder.decode(piece, { stream: true });
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    yield* lines;
  }
  return undefined;
}
