/**
 * The process of the traffic meter: input is one line of JSON (WorkerInput), output lines are WorkerMessages. Sends until
 * its standard input ends.
 */
import { readFileSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { openUdpSocket, type UdpSocket, type UdpTarget, udpTarget } from '@canal/linux-ffi';
import { type Ip, ipFamily, parseIp, unwrap } from 'net-types';
import { StreamTally } from './stream-tally.ts';
import type { TrafficReport, WorkerInput, WorkerMessage } from './traffic-stream.ts';

type Input = AsyncIterator<Buffer, undefined>;

interface Stream {
  readonly from: string;
  readonly to: string;
  readonly socket: UdpSocket;
  readonly target: UdpTarget;
  readonly tally: StreamTally;
  /** A packet of the warm-up arrived: neighbours are resolved, counting may begin. */
  isFlowing: boolean;
}

interface Endpoint {
  readonly name: string;
  readonly socket: UdpSocket;
}

/** run, stream, sequence: three u32. */
const PACKET_BYTES = 64;
const WARM_UP = 0xffff_ffff;
/** Longer than any queue on the way holds a packet back; a tunnel's neighbour that is being resolved: a second. */
const DRAIN_MS = 1_500;
/** A meter that had no processor does not send all that it missed at once: that would fill queues. */
const BURST = 200;
const NICE = -15;

const run = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
const packet = new Uint8Array(PACKET_BYTES);
const packetWords = new DataView(packet.buffer);
const arrived = new Uint8Array(PACKET_BYTES);
const arrivedWords = new DataView(arrived.buffer);

async function main(): Promise<void> {
  const stdin = process.stdin[Symbol.asyncIterator]() as Input;
  const input = JSON.parse(await readLine(stdin)) as WorkerInput;
  setPriority(NICE);
  const { endpoints, streams } = open(input);
  // Nothing sent is nothing lost: that must not pass for a network without loss.
  if (streams.length === 0) throw new Error(`no two of ${input.endpoints.length} endpoints share a family`);
  const silent = await warmUp(endpoints, streams, input.flowingWithinMs);
  if (silent.length > 0) {
    tell({ type: 'silent', streams: silent.map(({ from, to }) => `${from} -> ${to}`) });
    process.exit(1);
  }
  tell({ type: 'flowing' });
  const stop = { asked: false };
  void untilEnd(stdin).then(() => {
    stop.asked = true;
  });
  tell({ type: 'report', report: await measure(endpoints, streams, input.packetsPerSecond, stop) });
  process.exit(0);
}

async function readLine(stdin: Input): Promise<string> {
  let text = '';
  while (!text.includes('\n')) {
    const { value, done } = await stdin.next();
    if (done === true) throw new Error('standard input ended before the configuration');
    text += value.toString();
  }
  return text;
}

async function untilEnd(stdin: Input): Promise<void> {
  while ((await stdin.next()).done !== true);
}

function tell(message: WorkerMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function open(input: WorkerInput): { endpoints: Endpoint[]; streams: Stream[] } {
  const sockets = input.endpoints.flatMap(({ name, netns, ips }) =>
    ips.map((text) => {
      const ip = unwrap(parseIp(text));
      const { port, receiveBufferBytes } = input;
      return { name, ip, socket: openUdpSocket({ ip, port, netns, receiveBufferBytes }) };
    }),
  );
  const streams = sockets.flatMap((from) =>
    sockets
      .filter((to) => to.name !== from.name && sameFamily(from.ip, to.ip))
      .map((to) => ({
        from: labelOf(from.name, from.ip),
        to: to.name,
        socket: from.socket,
        target: udpTarget(to.ip, input.port),
        tally: new StreamTally(),
        isFlowing: false,
      })),
  );
  return { endpoints: sockets.map(({ name, ip, socket }) => ({ name: labelOf(name, ip), socket })), streams };
}

function sameFamily(a: Ip, b: Ip): boolean {
  return ipFamily(a) === ipFamily(b);
}

function labelOf(name: string, ip: Ip): string {
  return ipFamily(ip) === 4 ? name : `${name} (IPv6)`;
}

/** Sends uncounted packets until one of each stream has arrived; gives those of which none did. */
async function warmUp(endpoints: readonly Endpoint[], streams: readonly Stream[], withinMs: number): Promise<Stream[]> {
  const end = performance.now() + withinMs;
  while (performance.now() < end) {
    for (const [index, stream] of streams.entries()) if (!stream.isFlowing) send(stream, index, WARM_UP);
    await Bun.sleep(50);
    receiveAll(endpoints, streams);
    if (streams.every(({ isFlowing }) => isFlowing)) return [];
  }
  return streams.filter(({ isFlowing }) => !isFlowing);
}

async function measure(
  endpoints: readonly Endpoint[],
  streams: readonly Stream[],
  packetsPerSecond: number,
  stop: { readonly asked: boolean },
): Promise<TrafficReport> {
  const backlogBefore = readBacklogDrops();
  const startMs = performance.now();
  let scheduleMs = startMs;
  let turnMs = startMs;
  let longestStallMs = 0;
  let perStream = 0;
  while (!stop.asked) {
    const nowMs = performance.now();
    longestStallMs = Math.max(longestStallMs, nowMs - turnMs);
    turnMs = nowMs;
    const behind = Math.floor(((nowMs - scheduleMs) * packetsPerSecond) / 1000) - perStream;
    const due = Math.min(behind, BURST);
    scheduleMs += ((behind - due) * 1000) / packetsPerSecond;
    for (let count = 0; count < due; count++) {
      for (const [index, stream] of streams.entries()) sendCounted(stream, index);
      perStream++;
    }
    receiveAll(endpoints, streams);
    await Bun.sleep(1);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const drainedMs = performance.now() + DRAIN_MS;
  while (performance.now() < drainedMs) {
    receiveAll(endpoints, streams);
    await Bun.sleep(10);
  }
  const reports = streams.map(({ from, to, tally }) => ({ from, to, ...tally.report() }));
  return {
    streams: reports,
    seconds,
    packetsPerSecond: Math.min(...reports.map(({ sent }) => sent / seconds)),
    longestStallMs,
    dropped: Object.fromEntries(endpoints.map(({ name, socket }) => [name, socket.dropped()])),
    backlogDrops: readBacklogDrops() - backlogBefore,
  };
}

function sendCounted(stream: Stream, index: number): void {
  const refusal = send(stream, index, stream.tally.next);
  // The sender's own buffer is full: nothing was given to the network.
  if (refusal !== 'EAGAIN') stream.tally.sent(performance.timeOrigin + performance.now(), refusal);
}

function send({ socket, target }: Stream, index: number, sequence: number): string | undefined {
  packetWords.setUint32(0, run);
  packetWords.setUint32(4, index);
  packetWords.setUint32(8, sequence);
  return socket.send(packet, target);
}

function receiveAll(endpoints: readonly Endpoint[], streams: readonly Stream[]): void {
  for (const { socket } of endpoints) {
    for (let length = socket.receive(arrived); length !== undefined; length = socket.receive(arrived)) {
      if (length === PACKET_BYTES && arrivedWords.getUint32(0) === run) note(streams);
    }
  }
}

function note(streams: readonly Stream[]): void {
  const stream = streams[arrivedWords.getUint32(4)];
  if (stream === undefined) return;
  stream.isFlowing = true;
  const sequence = arrivedWords.getUint32(8);
  if (sequence !== WARM_UP) stream.tally.received(sequence);
}

/** Second column, hexadecimal, one line a processor (net/core/net-procfs.c). */
function readBacklogDrops(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n');
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/u)[1] ?? '0', 16), 0);
}

await main();
