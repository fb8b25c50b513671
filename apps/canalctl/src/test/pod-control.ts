/** Lets a pod of the self-test try things: through a port-forward to its loopback, so not over the network that is judged. */
import { request } from 'node:http';
import type { KubeConnection } from '@canal/store-kube';
import { openPortForward } from '../admin/port-forward.ts';
import { textAt, valueAt } from '../objects/json-object.ts';
import type { DialAnswer, DialRequest } from './dial.ts';
import { CONTROL_PORT } from './serve-test.ts';

export interface PodControl {
  dial(requests: readonly DialRequest[]): Promise<readonly DialAnswer[]>;
  close(): void;
}

export interface ControlledPod {
  readonly namespace: string;
  readonly name: string;
  readonly token: string;
  /** Of `performance.now()`: nothing is waited for after that. */
  readonly endMs: number;
}

/** Beyond the time that the slowest try may take. */
const MARGIN_MS = 5000;
const MAX_ANSWER_CHARS = 1024 * 1024;
const OK = 200;

/** Throws what the API server refuses, as StoreError, and Error when there is no way to the pod. */
export async function openPodControl(
  connection: KubeConnection,
  { namespace, name, token, endMs }: ControlledPod,
  signal: AbortSignal,
): Promise<PodControl> {
  const forward = await openPortForward(connection, { namespace, pod: name, port: CONTROL_PORT }, signal);
  const ask = async (requests: readonly DialRequest[]): Promise<readonly DialAnswer[]> => {
    const wantedMs = Math.max(0, ...requests.map((one) => one.limitMs)) + MARGIN_MS;
    const limitMs = Math.max(0, Math.round(Math.min(wantedMs, endMs - performance.now())));
    const limited = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    return readAnswers(await post(forward.localPort, token, requests, limited), requests.length);
  };
  const control: PodControl = {
    dial: async (requests) => {
      try {
        return await ask(requests);
      } catch (error) {
        signal.throwIfAborted();
        throw (await forward.failure()) ?? error;
      }
    },
    close: () => forward.close(),
  };
  try {
    await control.dial([]);
    return control;
  } catch (error) {
    control.close();
    throw error;
  }
}

/** Not by fetch: that would send it, with its token, to the proxy of HTTP_PROXY. */
async function post(port: number, token: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  // No agent: each request has a way of its own, and one that broke is no trouble to the next.
  const options = { host: '127.0.0.1', port, method: 'POST', path: '/', headers, agent: false, signal };
  const sending = request(options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_CHARS) sending.destroy(new Error('the pod answers without end'));
    });
    response.on('error', reject);
    response.on('end', () => {
      if (response.statusCode === OK) resolve(text);
      else reject(new Error(`the pod answers ${response.statusCode ?? 'nothing'}`));
    });
  });
  sending.on('error', reject);
  sending.end(JSON.stringify(body));
  return JSON.parse(await promise);
}

/** A node's kubelet stands between us and the pod: it may be anybody. */
function readAnswers(json: unknown, count: number): readonly DialAnswer[] {
  if (!Array.isArray(json) || json.length !== count) throw new Error('the pod answers with something else');
  return json.map((one: unknown) => {
    if (valueAt(one, 'ok') === true) return readHeard(one);
    const [why, message] = [valueAt(one, 'why'), textAt(one, 'message') ?? 'the pod does not say why'];
    return { ok: false, why: why === 'silent' || why === 'refused' ? why : 'other', message };
  });
}

function readHeard(one: unknown): DialAnswer {
  const [tookMs, packetBytes, addresses] = [
    valueAt(one, 'tookMs'),
    valueAt(one, 'packetBytes'),
    valueAt(one, 'addresses'),
  ];
  const [pod, seen] = [textAt(one, 'pod'), textAt(one, 'seen')];
  return {
    ok: true,
    tookMs: typeof tookMs === 'number' ? tookMs : 0,
    ...(pod !== undefined && { pod }),
    ...(seen !== undefined && { seen }),
    ...(typeof packetBytes === 'number' && { packetBytes }),
    ...(Array.isArray(addresses) && { addresses: addresses.map(String) }),
  };
}
