/**
 * A cluster for `canalctl test` within one process: the embedded API server, kubelets that start the pods' control servers,
 * kube-proxy's addresses, and a network that is a function.
 */
import { createConnection, type Socket } from 'node:net';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NAMESPACES, NETWORK_POLICIES, NODES, PODS, SERVICES, type Store } from '@canal/store-port';
import { serve, type ServerWebSocket } from 'bun';
import { systemClock } from '../cluster/connect-cluster.ts';
import { textAt, valueAt } from '../objects/json-object.ts';
import type { DialAnswer, DialRequest } from './dial.ts';
import { RUN_TOKEN, serveControl } from './serve-test.ts';
import { POD_LABEL } from './test-ground.ts';
import { listAt } from './watch-pods.ts';

export interface FakePod {
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
}

export interface FakeNetwork {
  /** What the pods get from their kubelets. */
  readonly podStatus?: (pod: FakePod) => object | undefined;
  /** Another answer than that of a network which is well. */
  readonly answer?: (request: DialRequest, from: FakePod, well: DialAnswer) => DialAnswer;
  /** Status with which requests are refused: those whose method and path match. */
  readonly refuse?: RegExp;
  /** The API server's clock. */
  readonly now?: () => Date;
}

export interface FakeCluster extends AsyncDisposable {
  readonly url: string;
  readonly store: Store;
  readonly token: string;
  /** Every pod that was made, as it was asked for. */
  readonly made: readonly KubeObject[];
  readonly namespaces: () => Promise<readonly string[]>;
}

const TOKEN = 'admin-token';
export const SERVICE_IPS = ['10.96.0.77', 'fd00:10:96::77'];
const SILENT: DialAnswer = { ok: false, why: 'silent', message: 'no answer' };

export async function startFakeCluster(nodes: readonly string[], network: FakeNetwork = {}): Promise<FakeCluster> {
  const server = createEmbeddedServer({
    tokens: [{ token: TOKEN, user: 'admin' }],
    ...(network.now && { now: network.now }),
  });
  const made: KubeObject[] = [];
  const pods = new Map<string, FakePod & { readonly port: number; readonly close: () => void }>();

  const kubelet = async (pod: KubeObject): Promise<void> => {
    made.push(pod);
    const { name, namespace = '' } = pod.metadata;
    const node = textAt(pod, 'spec', 'nodeName') ?? '';
    const host = pods.size + 10;
    const fake: FakePod = { name, node, ips: [`10.244.0.${host}`, `fd00:10:244::${host}`] };
    const [container] = listAt(pod, 'spec', 'containers');
    const token = textAt(
      listAt(container, 'env').find((one) => textAt(one, 'name') === RUN_TOKEN),
      'value',
    );
    const control = serveControl({
      token: token ?? '',
      port: 0,
      tryOne: async (request) => {
        const well = await answerOf(request, fake);
        return network.answer?.(request, fake, well) ?? well;
      },
    });
    pods.set(name, { ...fake, port: control.port, close: () => control.close() });
    const status = network.podStatus?.(fake) ?? {
      phase: 'Running',
      podIPs: fake.ips.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await store.mergePatch(PODS, name, { status }, { namespace, subresource: 'status' });
  };

  /** What a network that is well answers, with the policies that there are now. */
  const answerOf = async (request: DialRequest, from: FakePod): Promise<DialAnswer> => {
    if (request.kind === 'name') return { ok: true, tookMs: 1, addresses: SERVICE_IPS };
    const isService = SERVICE_IPS.includes(request.host);
    const to = [...pods.values()].find((pod) =>
      isService ? pod.name.startsWith('server') : pod.ips.includes(request.host),
    );
    if (to === undefined) return { ok: false, why: 'refused', message: 'connection refused' };
    const policies = await store.list(NETWORK_POLICIES);
    const ingress = policies.flatMap((policy) => listAt(policy, 'spec', 'ingress'));
    const isAllowed = ingress.some((rule) => {
      const [peer] = listAt(rule, 'from');
      return textAt(peer, 'podSelector', 'matchLabels', POD_LABEL) === from.name && request.kind === 'tcp';
    });
    if (policies.length > 0 && !isAllowed) return SILENT;
    const seen = from.ips.find((ip) => ip.includes(':') === request.host.includes(':')) ?? '';
    const isFilling = request.kind === 'udp' && request.filling === true;
    return { ok: true, tookMs: 1, pod: to.name, seen, ...(isFilling && { packetBytes: 1450 }) };
  };

  const front = serve<{ socket?: Socket; pod: string }>({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch: async (request, self) => {
      const { pathname } = new URL(request.url);
      const line = `${request.method} ${pathname}`;
      if (network.refuse?.test(line) === true) {
        return Response.json(
          { kind: 'Status', reason: 'Forbidden', message: 'not for you', code: 403 },
          { status: 403 },
        );
      }
      const [, forwarded] = /\/pods\/([^/]+)\/portforward$/.exec(pathname) ?? [];
      if (forwarded !== undefined) {
        const headers = { 'sec-websocket-protocol': 'v4.channel.k8s.io' };
        return self.upgrade(request, { data: { pod: forwarded }, headers })
          ? undefined
          : new Response('', { status: 400 });
      }
      const response = await server.handle(request);
      if (!response.ok || request.method !== 'POST') return response;
      const made = (await response.clone().json()) as KubeObject;
      if (pathname.endsWith('/pods')) await kubelet(made);
      if (!pathname.endsWith('/services')) return response;
      const spec = { ...(valueAt(made, 'spec') as object), clusterIP: SERVICE_IPS[0], clusterIPs: SERVICE_IPS };
      const { name, namespace } = made.metadata;
      await store.mergePatch(SERVICES, name, { spec }, namespace === undefined ? {} : { namespace });
      return response;
    },
    websocket: {
      open: (webSocket) => connect(webSocket, pods.get(webSocket.data.pod)?.port),
      message: ({ data }, message) => {
        const bytes = Buffer.from(message);
        if (bytes[0] === 0) data.socket?.write(bytes.subarray(1));
      },
      close: ({ data }) => void data.socket?.destroy(),
    },
  });
  const url = `http://127.0.0.1:${front.port}`;
  const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret(TOKEN) }) };
  const store = createKubeStore({ connection, clock: systemClock() });
  for (const [index, name] of nodes.entries()) {
    await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
    const status = {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: `172.30.0.${index + 11}` }],
    };
    await store.mergePatch(NODES, name, { status }, { subresource: 'status' });
  }
  return {
    url,
    store,
    token: TOKEN,
    made,
    namespaces: async () =>
      (await store.list(NAMESPACES))
        .map(({ metadata }) => metadata.name)
        .filter((name) => name.startsWith('canal-test')),
    [Symbol.asyncDispose]: async () => {
      for (const pod of pods.values()) pod.close();
      await front.stop(true);
      await server.close();
    },
  };
}

/** As kubelets do it: the port on both channels, then bytes. */
function connect(webSocket: ServerWebSocket<{ socket?: Socket; pod: string }>, port: number | undefined): void {
  webSocket.send(Uint8Array.from([0, 0, 0]));
  webSocket.send(Uint8Array.from([1, 0, 0]));
  if (port === undefined) {
    webSocket.send(Buffer.from('\u0001no such pod'));
    return;
  }
  const socket = createConnection({ host: '127.0.0.1', port });
  webSocket.data.socket = socket;
  socket.on('data', (bytes) => void webSocket.send(Buffer.concat([Buffer.from([0]), bytes])));
  socket.on('close', () => webSocket.close());
  socket.on('error', () => webSocket.close());
}
