/**
 * What a pod of the self-test tries: a TCP connection, a datagram, a name. It runs in the pod, and in a lab in the pod's
 * namespace. What the network does is an answer; nothing is thrown.
 */
import { openNetlinkConnection, openUdpSocket, udpTarget, withNetns } from '@canal/linux-ffi';
import { listAddresses, listLinks, RT_SCOPE } from 'netlink-ts';
import { compareIp, formatIp, type Ip, ipFamily, type IpFamily, parseIp, unwrap } from 'net-types';
import { parseGreeting } from './greeting.ts';

export type DialRequest =
  /** `greeted`: the other end is a server of the test. `bytes`: so many go there and come back. */
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly greeted: boolean;
      readonly bytes?: number;
      readonly limitMs: number;
    }
  /** To a server of the test. `filling`: the datagram fills the MTU of the pod's interface, and is never fragmented. */
  | {
      readonly kind: 'udp';
      readonly host: string;
      readonly port: number;
      readonly filling?: true;
      readonly limitMs: number;
    }
  | { readonly kind: 'name'; readonly name: string; readonly limitMs: number };

export type DialAnswer =
  | {
      readonly ok: true;
      readonly tookMs: number;
      /** Name of the pod that answered, and the address that it saw. */
      readonly pod?: string;
      readonly seen?: string;
      /** Of the IP packet that filled the MTU. */
      readonly packetBytes?: number;
      readonly addresses?: readonly string[];
    }
  /** `silent`: nothing came within the limit; `refused`: whoever is there said no. */
  | { readonly ok: false; readonly why: 'silent' | 'refused' | 'other'; readonly message: string };

export interface DialPlace {
  /** Default: the namespace of the process. */
  readonly netns?: string;
}

type Heard = Omit<Extract<DialAnswer, { ok: true }>, 'ok' | 'tookMs'>;

export async function dial(request: DialRequest, place: DialPlace = {}): Promise<DialAnswer> {
  const startMs = performance.now();
  const limit = AbortSignal.timeout(request.limitMs);
  try {
    const heard = await heardOf(request, place, limit);
    return { ok: true, tookMs: performance.now() - startMs, ...heard };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (limit.aborted) return { ok: false, why: 'silent', message: `no answer within ${request.limitMs / 1000} s` };
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    return { ok: false, why: code === 'ECONNREFUSED' ? 'refused' : 'other', message };
  }
}

async function heardOf(request: DialRequest, place: DialPlace, limit: AbortSignal): Promise<Heard> {
  switch (request.kind) {
    case 'tcp':
      return await dialTcp(request, place, limit);
    case 'udp':
      return await dialUdp(request, place, limit);
    case 'name':
      return { addresses: await resolveName(request.name, limit) };
  }
}

type TcpRequest = Extract<DialRequest, { kind: 'tcp' }>;

async function dialTcp(request: TcpRequest, { netns }: DialPlace, limit: AbortSignal): Promise<Heard> {
  const done = Promise.withResolvers<Heard>();
  limit.addEventListener('abort', () => done.reject(new Error('silent')), { once: true });
  const talk = new Conversation(request, done);
  let opened: Bun.Socket | undefined;
  try {
    const begin = (): void => {
      Bun.connect({
        hostname: request.host,
        port: request.port,
        socket: {
          open: (socket) => talk.opened(socket),
          data: (socket, bytes) => talk.heard(socket, bytes),
          drain: (socket) => talk.send(socket),
          connectError: (_socket, error) => done.reject(error),
          error: (_socket, error) => done.reject(error),
          close: () => done.reject(new Error('the connection was closed before the answer was whole')),
        },
      }).then((socket) => (opened = socket), done.reject);
    };
    // Inside, only the connection begins.
    if (netns === undefined) begin();
    else withNetns(netns, begin);
    return await done.promise;
  } finally {
    opened?.terminate();
  }
}

/** The client's side of the echo server (see echo-server.ts). */
class Conversation {
  readonly #request: TcpRequest;
  readonly #done: PromiseWithResolvers<Heard>;
  readonly #outgoing: Uint8Array;
  #sent = 0;
  #line = '';
  #greeting: Heard | undefined;
  #echoed = 0;

  constructor(request: TcpRequest, done: PromiseWithResolvers<Heard>) {
    this.#request = request;
    this.#done = done;
    this.#outgoing = patternOf(request.bytes ?? 0);
  }

  opened(socket: Bun.Socket): void {
    if (!this.#request.greeted) this.#done.resolve({});
    else this.send(socket);
  }

  send(socket: Bun.Socket): void {
    while (this.#sent < this.#outgoing.length) {
      const taken = socket.write(this.#outgoing.subarray(this.#sent));
      if (taken <= 0) return;
      this.#sent += taken;
    }
  }

  heard(_socket: Bun.Socket, bytes: Uint8Array): void {
    const rest = this.#greeting === undefined ? this.#readGreeting(bytes) : bytes;
    const expected = this.#outgoing.subarray(this.#echoed, this.#echoed + rest.length);
    if (Buffer.compare(rest, expected) !== 0) {
      this.#done.reject(new Error(`of ${this.#outgoing.length} bytes, some after ${this.#echoed} came back changed`));
    }
    this.#echoed += rest.length;
    if (this.#greeting !== undefined && this.#echoed >= this.#outgoing.length) this.#done.resolve(this.#greeting);
  }

  #readGreeting(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(NEWLINE);
    this.#line += new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    if (end < 0 && this.#line.length <= MAX_GREETING) return new Uint8Array();
    this.#greeting = parseGreeting(this.#line);
    if (this.#greeting === undefined) this.#done.reject(new Error(NO_SERVER_OF_OURS));
    return bytes.subarray(end + 1);
  }
}

const NEWLINE = 10;
const MAX_GREETING = 1024;
const NO_SERVER_OF_OURS = 'somebody else answered: no server of this test';
/** No power of two: bytes that are swapped by whole packets are seen. */
const PATTERN = 251;

const patterns = new Map<number, Uint8Array>();

function patternOf(length: number): Uint8Array {
  let pattern = patterns.get(length);
  if (pattern === undefined) {
    pattern = Uint8Array.from({ length }, (_, index) => index % PATTERN);
    patterns.set(length, pattern);
  }
  return pattern;
}

const RESEND_MS = 200;
const LOOK_MS = 2;
const [IPV4_HEADER, IPV6_HEADER, UDP_HEADER] = [20, 40, 8];
const SMALL_BYTES = 32;

async function dialUdp(
  { host, port, filling }: Extract<DialRequest, { kind: 'udp' }>,
  { netns }: DialPlace,
  limit: AbortSignal,
): Promise<Heard> {
  const to = parseIp(host);
  if (!to.ok) throw new Error(`${JSON.stringify(host)} is no address`);
  const family = ipFamily(to.value);
  const headers = (family === 4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER;
  const packetBytes = filling === true ? interfaceMtu(family, netns) : undefined;
  const payload = new Uint8Array(packetBytes === undefined ? SMALL_BYTES : packetBytes - headers);
  const socket = openUdpSocket({
    ip: ANY[family],
    port: 0,
    ...(netns !== undefined && { netns }),
    ...(filling === true && { dontFragment: true as const }),
  });
  try {
    const target = udpTarget(to.value, port);
    const buffer = new Uint8Array(MAX_GREETING);
    for (let sentMs = -Infinity; ;) {
      limit.throwIfAborted();
      if (performance.now() - sentMs >= RESEND_MS) {
        const refusal = socket.send(payload, target);
        if (refusal !== undefined && refusal !== 'EAGAIN') throw new Error(`the kernel does not send it: ${refusal}`);
        sentMs = performance.now();
      }
      const length = socket.receive(buffer);
      if (length !== undefined) return answered(buffer.subarray(0, length), payload.length, packetBytes);
      await Bun.sleep(LOOK_MS);
    }
  } finally {
    socket[Symbol.dispose]();
  }
}

const ANY: Readonly<Record<IpFamily, Ip>> = { 4: unwrap(parseIp('0.0.0.0')), 6: unwrap(parseIp('::')) };

function answered(datagram: Uint8Array, sentBytes: number, packetBytes: number | undefined): Heard {
  const greeting = parseGreeting(new TextDecoder().decode(datagram).trimEnd());
  if (greeting === undefined) throw new Error(NO_SERVER_OF_OURS);
  if (greeting.bytes !== sentBytes) throw new Error(`${greeting.bytes} bytes arrived of ${sentBytes}`);
  const { pod, seen } = greeting;
  return { pod, seen, ...(packetBytes !== undefined && { packetBytes }) };
}

/** Of the interface with the pod's address of the family. */
function interfaceMtu(family: IpFamily, netns: string | undefined): number {
  using connection = openNetlinkConnection(netns === undefined ? {} : { netns });
  const links = listLinks(connection);
  const indexes = listAddresses(connection, { family })
    .filter(({ scope }) => scope === RT_SCOPE.UNIVERSE)
    .map(({ index }) => index);
  const mtu = links.find(({ index }) => indexes.includes(index))?.mtu;
  if (mtu === undefined) throw new Error(`no interface has an IPv${family} address`);
  return mtu;
}

/** By the resolver of the C library, as other programs in the pod do it; sorted. */
async function resolveName(name: string, limit: AbortSignal): Promise<readonly string[]> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  limit.addEventListener('abort', () => reject(new Error('silent')), { once: true });
  const found = await Promise.race([Bun.dns.lookup(name, { backend: 'libc' }), late]);
  const addresses = found.flatMap(({ address }) => {
    const parsed = parseIp(address);
    return parsed.ok ? [parsed.value] : [];
  });
  return [...new Set(addresses)].sort(compareIp).map(formatIp);
}
