/** One TCP connection or UDP exchange between two namespaces, and which source address the server saw. */
import { type Ip, ipFamily, formatIp, parseIp } from 'net-types';
import { LabError } from './lab-error.ts';
import { inNamespace } from './namespaces.ts';

export interface FlowOptions {
  readonly protocol: 'tcp' | 'udp';
  /** Names of network namespaces. */
  readonly client: string;
  readonly server: string;
  /** An address of the server. */
  readonly to: Ip;
  /** Of the server; any that is free when absent. */
  readonly port?: number;
  /** Default 2000. UDP is sent again every 100 ms until then. */
  readonly timeoutMs?: number;
}

export type FlowResult =
  /** `seenSource` differs from the client's address where something translates addresses. */
  | { readonly ok: true; readonly seenSource: Ip; readonly tookMs: number }
  | { readonly ok: false; readonly reason: string };

const DEFAULT_TIMEOUT_MS = 2000;
const UDP_REPEAT_MS = 100;

/**
 * Opens a server, talks to it, and closes everything again. What the network does is a result. Throws LabError `failed`
 * when the server cannot be opened: nothing is said of the network then.
 */
export async function probeFlow(options: FlowOptions): Promise<FlowResult> {
  const start = performance.now();
  const limit = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    const seen = await (options.protocol === 'tcp' ? probeTcp(options, limit) : probeUdp(options, limit));
    const source = parseIp(seen);
    if (!source.ok) return { ok: false, reason: `the server answered ${JSON.stringify(seen)}` };
    return { ok: true, seenSource: source.value, tookMs: performance.now() - start };
  } catch (error) {
    if (error instanceof LabError) throw error;
    return { ok: false, reason: limit.aborted ? 'timeout' : error instanceof Error ? error.message : String(error) };
  }
}

async function probeTcp({ client, server, to, port = 0 }: FlowOptions, limit: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = (): void => reject(new Error('timeout'));
  limit.addEventListener('abort', onAbort, { once: true });
  const listener = inNamespace(server, () => {
    try {
      return Bun.listen({
        hostname: formatIp(to),
        port,
        socket: { open: (socket) => void socket.end(socket.remoteAddress), data: () => undefined },
      });
    } catch (error) {
      throw noServer('TCP', to, port, error);
    }
  });
  let connection: Bun.Socket | undefined;
  try {
    // Inside only the connection begins; what comes of it is told outside.
    inNamespace(client, () => {
      Bun.connect({
        hostname: formatIp(to),
        port: listener.port,
        socket: { data: (_socket, data) => resolve(data.toString()), connectError: (_socket, error) => reject(error) },
      }).then((socket) => (connection = socket), reject);
    });
    return await promise;
  } finally {
    limit.removeEventListener('abort', onAbort);
    connection?.terminate();
    listener.stop(true);
  }
}

async function probeUdp({ client, server, to, port = 0 }: FlowOptions, limit: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = (): void => reject(new Error('timeout'));
  limit.addEventListener('abort', onAbort, { once: true });
  const sockets: Bun.udp.Socket<'buffer'>[] = [];
  let repeat: ReturnType<typeof setInterval> | undefined;
  try {
    // On this address alone: a wildcard socket answers from the address that its route prefers.
    const listener = await opened(server, {
      hostname: formatIp(to),
      port,
      socket: { data: (socket, _data, from, address) => void socket.send(address, from, address) },
    }).catch((error: unknown) => {
      throw noServer('UDP', to, port, error);
    });
    sockets.push(listener);
    const sender = await opened(client, {
      hostname: ipFamily(to) === 4 ? '0.0.0.0' : '::',
      socket: { data: (_socket, data) => resolve(data.toString()) },
    });
    sockets.push(sender);
    const send = (): void => void sender.send('?', listener.port, formatIp(to));
    repeat = setInterval(send, UDP_REPEAT_MS);
    send();
    return await promise;
  } finally {
    clearInterval(repeat);
    limit.removeEventListener('abort', onAbort);
    for (const socket of sockets) socket.close();
  }
}

function noServer(protocol: string, to: Ip, port: number, cause: unknown): LabError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LabError('failed', `no ${protocol} server can be opened at ${formatIp(to)} port ${port}: ${why}`, {
    hint: 'see that no program there has the port, or take another',
    cause,
  });
}

/** A datagram socket is bound before Bun.udpSocket returns; only the word of it comes later. */
async function opened(namespace: string, options: Bun.udp.SocketOptions<'buffer'>): Promise<Bun.udp.Socket<'buffer'>> {
  const { opening } = inNamespace(namespace, () => ({ opening: Bun.udpSocket(options) }));
  return await opening;
}
