/**
 * Connections to a port of a pod through the API server: `pods/portforward` over WebSockets with the subprotocol
 * v4.channel.k8s.io. A message's first byte is its channel: 0 data, 1 errors; the first message of each holds the port.
 */
import { createServer, type Socket } from 'node:net';
import { type KubeConnection, send } from '@canal/store-kube';
import { StoreError } from '@canal/store-port';
import { AdminAccessError } from './admin-access-error.ts';

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export interface PortForward {
  /** On 127.0.0.1. */
  readonly localPort: number;
  /** Why a connection did not come about, if one did not: AdminAccessError or StoreError. */
  failure(): Promise<Error | undefined>;
  close(): void;
}

const PROTOCOL = 'v4.channel.k8s.io';
const [DATA, ERROR] = [0, 1];
const PORT_BYTES = 2;
const ASK_TIMEOUT_MS = 10_000;

/** Listens until it is closed; the pod is connected to for each connection. */
export async function openPortForward(
  connection: KubeConnection,
  target: PodPort,
  signal: AbortSignal,
): Promise<PortForward> {
  const path = `/api/v1/namespaces/${target.namespace}/pods/${target.pod}/portforward?ports=${target.port}`;
  const url = connection.baseUrl.replace(/^http/, 'ws') + path;
  const open = new Set<Socket>();
  let failed: string | undefined;
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    webSocketOptions(connection, signal)
      .then((options) => tunnel(socket, new WebSocket(url, options), (reason) => (failed ??= reason)))
      .catch((error: unknown) => {
        failed ??= error instanceof Error ? error.message : String(error);
        socket.destroy();
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  const address = server.address();
  const where = `pod ${target.namespace}/${target.pod}, port ${target.port}`;
  return {
    localPort: typeof address === 'object' && address !== null ? address.port : 0,
    failure: async () => (failed === undefined ? undefined : await explain(connection, path, where, failed, signal)),
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

async function webSocketOptions(connection: KubeConnection, signal: AbortSignal): Promise<Bun.WebSocketOptions> {
  const { token, basic, clientCertificate } = await connection.credentials.current(signal);
  const { ca, insecure, serverName } = connection.tls ?? {};
  const authorization =
    token !== undefined
      ? `Bearer ${token.reveal()}`
      : basic && `Basic ${Buffer.from(`${basic.username}:${basic.password.reveal()}`).toString('base64')}`;
  return {
    protocols: [PROTOCOL],
    headers: { ...(authorization !== undefined && { authorization }), 'user-agent': 'canal' },
    tls: {
      ...(ca !== undefined && { ca }),
      ...(insecure === true && { rejectUnauthorized: false }),
      ...(serverName !== undefined && { serverName }),
      ...(clientCertificate && { cert: clientCertificate.cert, key: clientCertificate.key.reveal() }),
    },
  };
}

/** The handlers are there before the first message can be: it counts which bytes are the port. */
function tunnel(socket: Socket, webSocket: WebSocket, onFailure: (reason: string) => void): void {
  webSocket.binaryType = 'arraybuffer';
  const skip = [PORT_BYTES, PORT_BYTES];
  let isOpen = false;
  webSocket.onmessage = ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    const channel = message[0];
    if (channel !== DATA && channel !== ERROR) return;
    const skipped = Math.min(skip[channel] ?? 0, message.length - 1);
    skip[channel] = (skip[channel] ?? 0) - skipped;
    const bytes = message.subarray(1 + skipped);
    if (bytes.length === 0) return;
    if (channel === DATA) socket.write(bytes);
    else {
      onFailure(Buffer.from(bytes).toString('utf8'));
      webSocket.close();
    }
  };
  webSocket.onopen = () => {
    isOpen = true;
    socket.on('data', (bytes: Buffer) => {
      const message = new Uint8Array(1 + bytes.length);
      message[0] = DATA;
      message.set(bytes, 1);
      webSocket.send(message);
    });
  };
  webSocket.onerror = (event) => {
    if (!isOpen) onFailure('message' in event ? event.message : 'the connection failed');
    socket.destroy();
  };
  webSocket.onclose = ({ reason }) => {
    if (!isOpen) onFailure(reason === '' ? 'the connection was closed' : reason);
    socket.end();
  };
  socket.on('close', () => webSocket.close());
  if (socket.destroyed) webSocket.close();
}

/** A WebSocket client hears no more than that it failed; the same request without one is told why. */
async function explain(
  connection: KubeConnection,
  path: string,
  where: string,
  reason: string,
  signal: AbortSignal,
): Promise<Error> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
  const answer: unknown = await send(connection, { method: 'GET', path }, limited).catch((error: unknown) => error);
  const isTold = answer instanceof StoreError && ['forbidden', 'unauthorized', 'not-found'].includes(answer.code);
  if (isTold) return answer;
  const hint =
    'see that "kubectl port-forward" to that pod works: the API server must reach the kubelet of its node; or expose the admin API ' +
    'and name it with --admin-server';
  return new AdminAccessError(`no way through the API server to ${where}: ${reason}`, hint, { isPassing: true });
}
