/** The part of a Kubernetes API by which the admin API of a cluster is found and reached. */
import { createConnection, type Socket } from 'node:net';
import { serve, type ServerWebSocket } from 'bun';

export interface KubeWorld {
  /** What GET of a path answers; a number is an error's status. */
  readonly objects: Readonly<Record<string, unknown>>;
  /** Of `serviceaccounts/canal-view/token`. */
  readonly token: string | number;
  /** Where the pod's port leads: a port of this machine, an error that is told, or a status that is answered instead. */
  readonly pod: { readonly port: number } | { readonly error: string } | { readonly status: number };
}

export interface TestKubeApi {
  readonly url: string;
  readonly requests: readonly string[];
  use(world: Partial<KubeWorld>): void;
  close(): Promise<void>;
}

interface Connection {
  socket?: Socket;
}

const POD_PORT = 9443;

export function startKubeApi(initial: KubeWorld): TestKubeApi {
  let world = initial;
  const requests: string[] = [];
  const server = serve<Connection>({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request, self) => {
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}${search}`);
      if (pathname.endsWith('/portforward')) {
        if ('status' in world.pod) return status(world.pod.status);
        if (request.headers.get('sec-websocket-protocol') !== 'v4.channel.k8s.io') return status(400);
        const headers = { 'sec-websocket-protocol': 'v4.channel.k8s.io' };
        return self.upgrade(request, { data: {}, headers }) ? undefined : status(400);
      }
      if (pathname.endsWith('/token')) {
        const { spec } = (await request.json()) as { readonly spec: { readonly audiences: unknown } };
        requests.push(`audiences ${JSON.stringify(spec.audiences)}`);
        return typeof world.token === 'number'
          ? status(world.token)
          : Response.json({ status: { token: world.token } });
      }
      const found = world.objects[pathname];
      return typeof found === 'number' || found === undefined ? status(found ?? 404) : Response.json(found);
    },
    websocket: {
      open: (webSocket) => connect(webSocket, world.pod),
      message: (webSocket, message) => {
        const bytes = Buffer.from(message);
        if (bytes[0] === 0) webSocket.data.socket?.write(bytes.subarray(1));
      },
      close: ({ data }) => void data.socket?.destroy(),
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    requests,
    use: (next) => {
      requests.length = 0;
      world = { ...initial, ...next };
    },
    close: () => server.stop(true),
  };
}

/** As kubelets do it: the port on both channels, then bytes. */
function connect(webSocket: ServerWebSocket<Connection>, pod: KubeWorld['pod']): void {
  const port = [POD_PORT & 0xff, POD_PORT >> 8];
  webSocket.send(Uint8Array.from([0, ...port]));
  webSocket.send(Uint8Array.from([1, ...port]));
  if ('error' in pod) webSocket.send(Buffer.from(`\u0001${pod.error}`));
  if (!('port' in pod)) return;
  const socket = createConnection({ host: '127.0.0.1', port: pod.port });
  webSocket.data.socket = socket;
  socket.on('data', (bytes) => void webSocket.send(Buffer.concat([Buffer.from([0]), bytes])));
  socket.on('close', () => webSocket.close());
  socket.on('error', () => webSocket.close());
}

function status(code: number): Response {
  const reason = { 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound' }[code] ?? 'BadRequest';
  return Response.json({ kind: 'Status', message: `it is ${reason}`, reason, code }, { status: code });
}
