/** Every pod pings every pod: the proof that a lab carries traffic. */
import { type Ip, ipFamily, type IpFamily } from 'net-types';
import { ping } from '@canal/linux-ffi';
import { namespacePath } from './namespaces.ts';
import { podKey, type PodRecord } from './sandboxes.ts';
import { eachLimited } from './wait.ts';

export interface PingCell {
  readonly from: PodRecord;
  readonly to: PodRecord;
  readonly family: IpFamily;
  /** Round trip in milliseconds, or why there was none. */
  readonly result: { readonly ok: true; readonly rttMs: number } | { readonly ok: false; readonly reason: string };
}

export interface PingMatrix {
  readonly pods: readonly PodRecord[];
  readonly families: readonly IpFamily[];
  readonly cells: readonly PingCell[];
  readonly lost: number;
}

export interface PingMatrixOptions {
  /** How long a pair is tried before it counts as lost. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly payloadBytes?: number;
}

const DEFAULT_DEADLINE_MS = 5000;
/** One echo; a packet that came before a route is gone, and the next one is sent soon after. */
const ECHO_TIMEOUT_MS = 200;
const PARALLEL_PINGS = 32;

/** Pings each ordered pair in each family that both have, again until it answers or the deadline has passed. */
export async function pingMatrix(pods: readonly PodRecord[], options: PingMatrixOptions = {}): Promise<PingMatrix> {
  const end = performance.now() + (options.deadlineMs ?? DEFAULT_DEADLINE_MS);
  const pairs = pods.flatMap((from) =>
    pods
      .filter((to) => to !== from)
      .flatMap((to) => to.ips.filter((ip) => hasFamily(from, ip)).map((ip) => ({ from, to, ip }))),
  );
  const cells = await eachLimited(pairs, PARALLEL_PINGS, async ({ from, to, ip }): Promise<PingCell> => {
    const result = await pingUntil(from, ip, end, options);
    return { from, to, family: ipFamily(ip), result };
  });
  const families = ([4, 6] as const).filter((family) => cells.some((cell) => cell.family === family));
  return { pods, families, cells, lost: cells.filter((cell) => !cell.result.ok).length };
}

async function pingUntil(
  from: PodRecord,
  to: Ip,
  endMs: number,
  options: PingMatrixOptions,
): Promise<PingCell['result']> {
  const { signal, payloadBytes } = options;
  for (;;) {
    const result = await ping({
      to,
      netns: namespacePath(from.netns),
      timeoutMs: ECHO_TIMEOUT_MS,
      ...(signal !== undefined && { signal }),
      ...(payloadBytes !== undefined && { payloadBytes }),
    });
    if (result.ok) return { ok: true, rttMs: result.rttMs };
    if (performance.now() >= endMs) return { ok: false, reason: result.reason };
    // An error that the kernel gives at once must not make a busy loop.
    if (result.reason !== 'timeout') await Bun.sleep(20);
  }
}

function hasFamily(pod: PodRecord, ip: Ip): boolean {
  return pod.ips.some((own) => ipFamily(own) === ipFamily(ip));
}

/** `from pod1 to pod2 over IPv6: timeout`, for each pair that was lost. */
export function describeLosses(matrix: PingMatrix): readonly string[] {
  return matrix.cells.flatMap(({ from, to, family, result }) =>
    result.ok ? [] : [`from ${podKey(from)} to ${podKey(to)} over IPv${family}: ${result.reason}`],
  );
}
