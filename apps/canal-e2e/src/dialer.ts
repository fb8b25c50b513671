/**
 * A pod that makes requests on our behalf: agnhost's `/dial`, reached through `kubectl port-forward`. So the way to it is
 * the kubelet and containerd, never the network that is being judged, and any cluster with a kubeconfig will do.
 */
import type { Pod } from './pods.ts';
import { openPortForward, type PortForward } from './port-forward.ts';
import type { World } from './world.ts';

export type DialProtocol = 'http' | 'udp';

export interface DialTarget {
  /** Address or name; a name is resolved in the pod. */
  readonly host: string;
  readonly port: number;
  /** `http`: path and query (`clientip`, `hostname`, `echo?msg=…`); `udp`: the payload (`clientip`, `echo …`). */
  readonly request: string;
  readonly protocol?: DialProtocol;
}

export interface Dialer extends AsyncDisposable {
  readonly pod: Pod;
  /** What the other end answered. Throws a DialError when it did not within agnhost's 5 s. */
  dial(target: DialTarget): Promise<string>;
}

/** A request that a pod made and got no answer to. */
export class DialError extends Error {
  override readonly name = 'DialError';
}

interface DialAnswer {
  readonly responses?: readonly string[];
  readonly errors?: readonly string[];
}

/** agnhost waits 5 s for a connection and 5 s for a name. */
const DIAL_MS = 20_000;

export async function openDialer(world: World, pod: Pod): Promise<Dialer> {
  let forward = await openForward(world, pod);

  const request = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${forward.port}${path}`, { signal: AbortSignal.timeout(DIAL_MS) });
    const text = await response.text();
    if (!response.ok) throw new DialError(`from ${pod.name} on ${pod.node}: ${response.status} ${text.trim()}`);
    return text;
  };
  return {
    pod,
    async dial({ host, port, request: asked, protocol = 'http' }) {
      const query = new URLSearchParams({ host, port: String(port), protocol, request: asked, tries: '1' });
      const path = `/dial?${query.toString()}`;
      // kubectl gives a forward up when anything goes wrong with one connection of it.
      const text = await request(path).catch(async (error: unknown) => {
        if (error instanceof DialError) throw error;
        forward.child.kill('SIGKILL');
        forward = await openForward(world, pod);
        return await request(path);
      });
      const { responses, errors } = JSON.parse(text) as DialAnswer;
      const [answer] = responses ?? [];
      if (answer !== undefined && errors === undefined) return answer;
      const what = `${protocol} ${host} port ${port} ${asked.slice(0, 40)}`;
      throw new DialError(`from ${pod.name} on ${pod.node} to ${what}: ${errors?.join('; ') ?? 'an empty answer'}`);
    },
    [Symbol.asyncDispose]: () => {
      forward.child.kill('SIGKILL');
      return Promise.resolve();
    },
  };
}

/** Dialers of several pods, opened at once and closed together. */
export async function openDialers(
  world: World,
  pods: readonly Pod[],
): Promise<AsyncDisposable & { readonly all: readonly Dialer[]; of(pod: Pod): Dialer }> {
  const opened = await Promise.allSettled(pods.map((pod) => openDialer(world, pod)));
  const all = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    for (const dialer of all) await dialer[Symbol.asyncDispose]();
    throw failed.reason;
  }
  return {
    all,
    of(pod) {
      const dialer = all.find((one) => one.pod === pod);
      if (dialer === undefined) throw new Error(`no dialer was opened for ${pod.name}`);
      return dialer;
    },
    async [Symbol.asyncDispose]() {
      for (const dialer of all) await dialer[Symbol.asyncDispose]();
    },
  };
}

function openForward(world: World, pod: Pod): Promise<PortForward> {
  return openPortForward(world, pod.namespace, `pod/${pod.name}`, pod.httpPort);
}
