/** What the admin API knows of the nodes, read as one picture. */
import { type AddressPool, type AdminClient, AdminApiError, type MissingPart, type Node } from '@canal/admin-client';

export interface NodeReport extends Node {
  readonly pools: readonly AddressPool[];
}

export interface ClusterReport {
  readonly nodes: readonly NodeReport[];
  /** What of the addresses could not be asked. */
  readonly missing: readonly MissingPart[];
}

/** Nodes that are asked about at a time. */
const AT_A_TIME = 8;
const RATE_RETRIES = 5;

/** All nodes, or the one that is named. Throws AdminApiError, and the signal's reason. */
export async function readStatus(client: AdminClient, signal: AbortSignal, name?: string): Promise<ClusterReport> {
  const names = name === undefined ? await nodeNames(client, signal) : [name];
  const query = name === undefined ? {} : { node: name };
  const nodes = await inParallel(names, AT_A_TIME, (one) => readNode(client, signal, one, name !== undefined));
  const pools = await patiently(signal, () => client.list('listAddressPools', signal, { query }));
  return {
    nodes: nodes.flatMap((node) =>
      node === undefined ? [] : [{ ...node, pools: pools.items.filter((pool) => pool.node === node.name) }],
    ),
    missing: pools.missing,
  };
}

async function nodeNames(client: AdminClient, signal: AbortSignal): Promise<readonly string[]> {
  const { items } = await patiently(signal, () => client.list('listNodes', signal));
  return items.map((node) => node.name);
}

/** Undefined for one that was there a moment ago, unless it was asked for by name. */
async function readNode(
  client: AdminClient,
  signal: AbortSignal,
  name: string,
  isAskedFor: boolean,
): Promise<Node | undefined> {
  try {
    return (await patiently(signal, () => client.call('getNode', signal, { path: { name } }))).body;
  } catch (error) {
    const isGone = error instanceof AdminApiError && error.problem?.status === 404;
    if (isGone && !isAskedFor) return undefined;
    throw error;
  }
}

/** Waits as long as the server wants when it says that there are too many requests. */
async function patiently<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const isTooMuch = error instanceof AdminApiError && error.problem?.status === 429;
      if (!isTooMuch || attempt > RATE_RETRIES) throw error;
      await pause((error.retryAfterSeconds ?? 1) * 1_000, signal);
    }
  }
}

/** Resolves when the time is over, or the signal aborts. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/** The results in the order of the items. */
async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const left = items.entries();
  const one = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, one));
  return results;
}
