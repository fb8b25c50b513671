/**
 * Numbered UDP packets between pods, all to all, and what became of each. The meter is a process of its own with high
 * priority, whose sockets live in the pods' namespaces: pods' programs cannot send a packet each millisecond, and a
 * starved receiver would look like a network that loses. What the meter's own sockets drop is told apart.
 */
import type { TallyReport } from './stream-tally.ts';

export interface TrafficEndpoint {
  readonly name: string;
  /** Path as the test's own process sees it: /proc/PID/ns/net of the pod's sandbox. */
  readonly netns: string;
  /** One of each family at most. Streams run between addresses of the same family. */
  readonly ips: readonly string[];
}

export interface TrafficOptions {
  /** Per stream. Default 1000. */
  readonly packetsPerSecond?: number;
  /** UDP port of the meter at each endpoint. Default 7117. */
  readonly port?: number;
  /** A small one makes the meter lose; for its own test. Default 16 MiB. */
  readonly receiveBufferBytes?: number;
  /** Time for the first packet of each stream to arrive. Default 10 s. */
  readonly flowingWithinMs?: number;
}

export interface StreamReport extends TallyReport {
  readonly from: string;
  readonly to: string;
}

export interface TrafficReport {
  readonly streams: readonly StreamReport[];
  readonly seconds: number;
  /** Of the slowest stream, on average. */
  readonly packetsPerSecond: number;
  /** Longest time that the meter did not come to sending: it had no processor. */
  readonly longestStallMs: number;
  /** Packets that reached a socket of the meter and found no room, by endpoint: losses that are not the network's. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Packets that the kernel dropped since its per-processor queue was full (/proc/net/softnet_stat), whole machine. */
  readonly backlogDrops: number;
}

export interface Traffic extends AsyncDisposable {
  readonly port: number;
  /** Ends the sending, waits for what is on the way, and judges. */
  stop(): Promise<TrafficReport>;
}

export interface WorkerInput {
  readonly endpoints: readonly TrafficEndpoint[];
  readonly packetsPerSecond: number;
  readonly port: number;
  readonly receiveBufferBytes: number;
  readonly flowingWithinMs: number;
}

/** A line of the worker's standard output. */
export type WorkerMessage =
  | { readonly type: 'flowing' }
  /** Streams of which no packet arrived within the time for it. */
  | { readonly type: 'silent'; readonly streams: readonly string[] }
  | { readonly type: 'report'; readonly report: TrafficReport };

const DEFAULTS = { packetsPerSecond: 1000, port: 7117, receiveBufferBytes: 16 * 1024 * 1024, flowingWithinMs: 10_000 };

const WORKER = new URL('./traffic-worker.ts', import.meta.url).pathname;

/** Resolves when each stream has delivered a packet; rejects with the silent ones after the time for it. */
export async function startTraffic(
  endpoints: readonly TrafficEndpoint[],
  options: TrafficOptions = {},
): Promise<Traffic> {
  const input: WorkerInput = { endpoints, ...DEFAULTS, ...options };
  const worker = Bun.spawn([process.execPath, WORKER], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' });
  const messages = readMessages(worker.stdout);
  const next = async (): Promise<WorkerMessage> => {
    const { value, done } = await messages.next();
    if (done !== true) return value;
    throw new Error(`the traffic meter ended with ${await worker.exited} before its report`);
  };
  const end = async (): Promise<void> => {
    worker.kill('SIGKILL');
    await worker.exited;
  };
  try {
    await worker.stdin.write(`${JSON.stringify(input)}\n`);
    const first = await next();
    if (first.type === 'silent')
      throw new Error(`no packet of ${first.streams.join(', ')} arrived within ${input.flowingWithinMs} ms`);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    port: input.port,
    async stop() {
      await worker.stdin.end();
      const message = await next();
      await worker.exited;
      if (message.type !== 'report') throw new Error(`the traffic meter said ${message.type} instead of its report`);
      return message.report;
    },
    [Symbol.asyncDispose]: end,
  };
}

async function* readMessages(output: ReadableStream<Uint8Array>): AsyncGenerator<WorkerMessage, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as WorkerMessage;
  }
  return undefined;
}

export function lostPackets({ streams }: TrafficReport): number {
  return streams.reduce((sum, { lost }) => sum + lost, 0);
}

/** For people: one line a stream, then what the meter says of itself. */
export function describeTraffic(report: TrafficReport): string {
  const streams = report.streams.map(({ from, to, sent, lost, duplicated, longestLossMs, losses, refused }) => {
    const first = losses[0] === undefined ? '' : ` from ${new Date(losses[0].atMs).toISOString()}`;
    const refusals = Object.entries(refused).map(([name, count]) => `, ${count} refused by the sender (${name})`);
    const gap = lost === 0 ? '' : `, longest gap ${Math.round(longestLossMs)} ms${first}`;
    return `${from} -> ${to}: ${sent} sent, ${lost} lost, ${duplicated} duplicated${gap}${refusals.join('')}`;
  });
  const dropped = Object.values(report.dropped).reduce((sum, count) => sum + count, 0);
  const meter = `${report.packetsPerSecond.toFixed(0)} packets/s a stream for ${report.seconds.toFixed(1)} s; the meter stalled for ${report.longestStallMs.toFixed(0)} ms at most and dropped ${dropped}; kernel queues dropped ${report.backlogDrops}`;
  return [...streams, meter].join('\n');
}
