/**
 * The admin API of a three-node lab with policies under load: 200 readers and 50 event streams for 60 s, and clients that
 * hold connections without ever saying anything. Prints latencies as a reader sees them, memory, and what is left of both
 * after the load. `CANAL_LOAD_SECONDS`, `CANAL_LOAD_PAUSE_MS` (0: every reader asks again at once) and
 * `CANAL_LOAD_PROFILE=DIRECTORY` (the server from its sources, with a profile of its processor time) change the run.
 * Ends with 1 when a goal is missed.
 */
import { mkdtempSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLab, inNamespace, type Lab, labPaths } from '@canal/lab';
import { CONFIG_MAPS, NAMESPACES, NETWORK_POLICIES } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { formatIp } from 'net-types';
import {
  type ClientTarget,
  type LoadConnection,
  openEventStream,
  openLoadConnection,
  secondsUntilCut,
} from './http-client.ts';
import { quantile } from './statistics.ts';

const CANAL = fileURLToPath(new URL('../../../dist/canal', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../../apps/canal/src/main.ts', import.meta.url));
const STATE_ROOT = `/run/canal-load-bench-${process.pid}`;
const NAME = `load${process.pid}`;
const SECONDS = Number(process.env['CANAL_LOAD_SECONDS'] ?? 60);
/** Between an answer and the reader's next request: together about as many a second as the API takes unless told. */
const PAUSE_MS = Number(process.env['CANAL_LOAD_PAUSE_MS'] ?? 200);
const PROFILE = process.env['CANAL_LOAD_PROFILE'];
const [READERS, STREAMS, SILENT] = [200, 50, 20];
/** Denied packets a second: as many events a second on each stream. */
const EVENTS = 10;
const GOALS = { p99Ms: 50, residentMb: 150, cutSeconds: 10 };
/** Connections end 8 s after their last answer; then the runtime gives memory back. */
const REST_MS = 20_000;

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed', namespace: 'default' },
  spec: { podSelector: {}, policyTypes: ['Ingress'] },
};

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'canal-system' } };
const NET_CONF = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'canal-config', namespace: 'canal-system' },
  data: { 'net-conf.json': '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' },
};

/** Pods that try what no policy allows: what the streams tell of. Ends when the signal aborts. */
function startTraffic(lab: Lab, signal: AbortSignal): void {
  const [pod, other] = lab.pods();
  if (pod === undefined || other === undefined) throw new Error('the lab has too few pods');
  const command = ['ping', '-q', '-i', String(1 / EVENTS), formatIp(other.ips[0] ?? fail('the pod has no address'))];
  inNamespace(pod.netns, () => Bun.spawn(command, { stdout: 'ignore', stderr: 'ignore', signal }));
}

function fail(why: string): never {
  throw new Error(why);
}

interface Held {
  readonly residentMb: number;
  /** Of clients, closing ones among them. */
  readonly connections: number;
  readonly descriptors: number;
}

function heldBy({ pid, target }: RunningServer): Held {
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const local = `:${target.port.toString(16).toUpperCase().padStart(4, '0')}`;
  const connections = ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) === true && state === ESTABLISHED).length;
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { residentMb: Number(resident) / 1024, connections, descriptors };
}

/** include/net/tcp_states.h */
const ESTABLISHED = '01';

const processorSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const read = (path: string): string => readFileSync(path, 'utf8').trim();

interface RunningServer {
  readonly pid: number;
  readonly target: ClientTarget;
  readonly stop: () => Promise<void>;
}

/** The lab's own, with room for the load. */
async function startServer(lab: Lab, scratch: string): Promise<RunningServer> {
  const { adminApi } = await lab.status();
  const argv = readFileSync(`/proc/${adminApi.pid}/cmdline`, 'utf8').split('\0').slice(1, -1);
  const [address, authority] = [join(scratch, 'address'), join(scratch, 'ca.pem')];
  const limits = ['--client-rate=100000', '--total-rate=100000', '--client-streams=100', '--total-streams=200'];
  const profile = ['--cpu-prof', `--cpu-prof-dir=${PROFILE}`, SOURCES];
  const program = PROFILE === undefined ? [CANAL] : [process.execPath, ...profile];
  const child = Bun.spawn(
    [...program, ...argv, ...limits, `--address-file=${address}`, `--tls-authority-file=${authority}`],
    {
      stdout: 'ignore',
      stderr: 'ignore',
    },
  );
  await waitFor('the admin API', () => existsSync(address), 30_000);
  const target = { hostname: '127.0.0.1', port: Number(new URL(read(address)).port), ca: read(authority) };
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await child.exited;
  };
  return { pid: child.pid, target, stop };
}

function requestHeads(lab: Lab, token: string): readonly string[] {
  const [node] = lab.nodes();
  const paths = [
    '/v1/nodes',
    `/v1/nodes/${node?.name}`,
    '/v1/leases',
    '/v1/endpoints',
    '/v1/policies',
    '/v1/flows?limit=100',
    '/v1/ipam/pools',
    '/v1/ipam/addresses',
    '/v1/config/net-conf',
    '/v1/events',
  ];
  return paths.map((path) => headOf(path, token));
}

function headOf(path: string, token: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}

interface Tally {
  readonly times: number[];
  /** By path. */
  readonly timesOf: Map<string, number[]>;
  readonly statuses: Map<number, number>;
  /** Seconds of the run in which an answer took longer than the goal, with how many did. */
  readonly late: Map<number, number>;
  failures: number;
}

async function readUntil(
  end: number,
  connection: LoadConnection,
  heads: readonly string[],
  first: number,
  tally: Tally,
): Promise<void> {
  await Bun.sleep((first / READERS) * PAUSE_MS);
  for (let turn = first; performance.now() < end; turn++) {
    const started = performance.now();
    try {
      const head = heads[turn % heads.length] ?? '';
      const status = await connection.ask(head);
      const took = performance.now() - started;
      const path = head.split(' ', 2)[1] ?? '';
      tally.times.push(took);
      const own = tally.timesOf.get(path) ?? [];
      tally.timesOf.set(path, own);
      own.push(took);
      const second = SECONDS - Math.ceil((end - performance.now()) / 1000);
      if (took > GOALS.p99Ms) tally.late.set(second, (tally.late.get(second) ?? 0) + 1);
      tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
    } catch {
      tally.failures++;
      return;
    }
    if (PAUSE_MS > 0) await Bun.sleep(PAUSE_MS * (0.5 + Math.random()));
  }
}

/** How late this process itself is: a part of what it measures is its own. */
async function ownDelays(end: number): Promise<readonly number[]> {
  const delays: number[] = [];
  while (performance.now() < end) {
    const wanted = performance.now() + 10;
    await Bun.sleep(10);
    delays.push(performance.now() - wanted);
  }
  return delays;
}

const lab = await createLab({ name: NAME, nodes: 3, podsPerNode: 4 }, { binary: CANAL, stateRoot: STATE_ROOT });
const scratch = mkdtempSync(join(tmpdir(), 'canal-load-'));
let isMissed = false;
const over = new AbortController();
let server: RunningServer | undefined;
try {
  await lab.store.create(NETWORK_POLICIES, POLICY);
  await lab.store.create(NAMESPACES, NAMESPACE);
  await lab.store.create(CONFIG_MAPS, NET_CONF);
  const token = read(labPaths(STATE_ROOT, NAME).adminApi.token);
  server = await startServer(lab, scratch);
  const { pid, target } = server;
  const heads = requestHeads(lab, token);
  const warm = await openLoadConnection(target);
  await waitFor(
    'an answer to each request',
    async () => {
      for (const head of heads) if ((await warm.ask(head)) !== 200) return false;
      return true;
    },
    20_000,
  );
  warm.end();
  await Bun.sleep(3_000);
  const running = server;
  const before = heldBy(running);
  startTraffic(lab, over.signal);

  const end = performance.now() + SECONDS * 1000;
  const processorBefore = processorSeconds(pid);
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, () => openEventStream(target, headOf('/v1/flows/stream', token))),
  );
  const connections = await Promise.all(Array.from({ length: READERS }, () => openLoadConnection(target)));
  const silent = Array.from({ length: SILENT }, (_, index) =>
    secondsUntilCut(target, index % 2 === 0 ? 'no handshake' : 'half a head'),
  );
  const tally: Tally = { times: [], timesOf: new Map(), statuses: new Map(), late: new Map(), failures: 0 };
  const resident: number[] = [];
  const watching = setInterval(() => resident.push(heldBy(running).residentMb), 500);
  const [delays] = await Promise.all([
    ownDelays(end),
    ...connections.map((connection, index) => readUntil(end, connection, heads, index, tally)),
  ]);
  clearInterval(watching);
  const processor = processorSeconds(pid) - processorBefore;
  const cuts = await Promise.all(silent);
  const openStreams = streams.filter(({ isOpen }) => isOpen()).length;
  const events = streams.reduce((sum, stream) => sum + stream.events(), 0);
  for (const connection of connections) connection.end();
  for (const stream of streams) stream.end();
  await Bun.sleep(REST_MS);
  const after = heldBy(running);
  const peakMb = Math.max(...resident);
  const p99 = quantile(tally.times, 0.99);
  const paths = [...tally.timesOf].map(([path, times]) => [path, quantile(times, 0.99)] as const);
  const show = (value: number): string => value.toFixed(1);
  const statuses = [...tally.statuses].map(([status, count]) => `${status}: ${count}`).join(', ');
  process.stdout.write(`
### The admin API under load: ${READERS} readers, a pause of ${PAUSE_MS} ms each, ${STREAMS} streams, ${SECONDS} s

| figure | value | goal |
| --- | --- | --- |
| answers a second | ${show(tally.times.length / SECONDS)} | |
| answers by status | ${statuses} | 200 alone |
| connections lost | ${tally.failures} | 0 |
| p50 ms | ${show(quantile(tally.times, 0.5))} | |
| p99 ms | ${show(p99)} | ${GOALS.p99Ms} |
${paths.map(([path, ms]) => `| … of ${path} | ${show(ms)} | |`).join('\n')}
| answers over ${GOALS.p99Ms} ms, by second of the run | ${[...tally.late].map(([at, count]) => `${at}: ${count}`).join(', ')} | |
| longest ms | ${show(Math.max(...tally.times))} | |
| the client's own delay, p99 ms | ${show(quantile(delays, 0.99))} | |
| processor of the server | ${show((100 * processor) / SECONDS)} % of one | |
| resident MB: before, longest, after | ${show(before.residentMb)}, ${show(peakMb)}, ${show(after.residentMb)} | ${GOALS.residentMb} |
| connections of clients: before, after | ${before.connections}, ${after.connections} | 0 |
| descriptors: before, after | ${before.descriptors}, ${after.descriptors} | those kept to the API server more |
| streams still open at the end | ${openStreams} | ${STREAMS} |
| events | ${events} | |
| ${SILENT} silent clients, cut after s | ${show(Math.min(...cuts))}..${show(Math.max(...cuts))} | ${GOALS.cutSeconds} |
`);
  const isOnly200 = tally.statuses.size === 1 && tally.statuses.has(200);
  isMissed =
    p99 > GOALS.p99Ms ||
    peakMb > GOALS.residentMb ||
    Math.max(...cuts) > GOALS.cutSeconds ||
    !isOnly200 ||
    tally.failures > 0 ||
    openStreams < STREAMS ||
    after.connections > 0;
} finally {
  over.abort();
  await server?.stop();
  await lab.down();
  rmSync(scratch, { recursive: true });
}
process.exit(isMissed ? 1 : 0);
