import {
  createNetns,
  type NetlinkRequestSocketOptions,
  openNetlinkConnection,
  openNetlinkSocket,
  openRtnetlinkMonitor,
  removeNetns,
  withNetns,
} from '@canal/linux-ffi';
import {
  addressInput,
  getLink,
  IF_OPER,
  IFA_F,
  IFF,
  listAddresses,
  listRoutes,
  type NetlinkConnection,
  type NetlinkMonitor,
  type NetlinkTransport,
  newAddress,
  newLink,
  RT_SCOPE,
  RTN,
  type RtnetlinkEvent,
  setLink,
} from 'netlink-ts';
import { type InterfaceAddress, type Ip, ipFamily, parseInterfaceAddress, unwrap } from 'net-types';
import { closeSync, openSync } from 'node:fs';

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A network namespace of one test. `using` takes it away again. */
export interface TestNetns extends Disposable {
  /** `/run/netns/NAME`. */
  readonly path: string;
  /** As `ip netns exec NAME` wants it: unique on the machine, holds the process id. */
  readonly name: string;
  /** Runs a program inside and waits for it; the exit code is the caller's to judge. */
  exec(argv: readonly string[], options?: { readonly stdin?: string }): ExecResult;
  /** Runs a program that must succeed and gives its output; throws with its stderr otherwise. */
  run(argv: readonly string[], options?: { readonly stdin?: string }): string;
  /** Runs a program that must succeed and print JSON (`ip -j …`); no output counts as an empty list. */
  json(argv: readonly string[]): unknown;
  /** Runs a synchronous callback inside. */
  within<T>(callback: () => T extends PromiseLike<unknown> ? never : T): T;
  /** An rtnetlink connection of the namespace; closed with it. */
  readonly netlink: NetlinkConnection;
  /** A netlink socket of the namespace; the caller closes it. */
  openSocket(options?: Omit<NetlinkRequestSocketOptions, 'netns'>): NetlinkTransport;
  /** Events of rtnetlink groups in the namespace; the caller closes it. */
  monitor(groups: readonly number[], signal?: AbortSignal): NetlinkMonitor<RtnetlinkEvent>;
}

export interface TestNetnsOptions {
  /** Loopback is up unless this is false. */
  readonly loopbackUp?: boolean;
}

let counter = 0;

/** Makes a namespace of its own. `label` is for the reader of `ip netns`. */
export function createTestNetns(label = 'test', options: TestNetnsOptions = {}): TestNetns {
  const name = `t${process.pid}-${++counter}-${label}`;
  const path = `/run/netns/${name}`;
  createNetns(path);
  const netlink = openNetlinkConnection({ netns: path });
  const netns = createHandle(name, path, netlink);
  try {
    if (options.loopbackUp !== false) bringUp(netlink, 'lo');
    return netns;
  } catch (error) {
    netns[Symbol.dispose]();
    throw error;
  }
}

function createHandle(name: string, path: string, netlink: NetlinkConnection): TestNetns {
  const exec: TestNetns['exec'] = (argv, { stdin } = {}) =>
    withNetns(path, () => {
      const input = stdin === undefined ? ('ignore' as const) : Buffer.from(stdin);
      const { stdout, stderr, exitCode } = Bun.spawnSync([...argv], { stdin: input, stdout: 'pipe', stderr: 'pipe' });
      return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
    });
  const run: TestNetns['run'] = (argv, execOptions) => {
    const { stdout, stderr, exitCode } = exec(argv, execOptions);
    if (exitCode !== 0) throw new Error(`in ${name}: ${argv.join(' ')} ended with ${exitCode}: ${stderr || stdout}`);
    return stdout;
  };
  return {
    name,
    path,
    netlink,
    exec,
    run,
    json: (argv) => JSON.parse(run(argv).trim() || '[]') as unknown,
    within: (callback) => withNetns(path, callback),
    openSocket: (options) => openNetlinkSocket({ ...options, netns: path }),
    monitor: (groups, signal) => openRtnetlinkMonitor({ netns: path, groups, ...(signal && { signal }) }),
    [Symbol.dispose]() {
      netlink[Symbol.dispose]();
      removeNetns(path);
    },
  };
}

/** One end of a veth pair. */
export interface VethEnd {
  readonly netns: TestNetns;
  readonly name: string;
  /** With prefix length: `10.0.0.1/24`. */
  readonly addresses?: readonly string[];
}

/** Connects two namespaces by a veth pair. Both ends are born inside, up, with their addresses (no duplicate detection). */
export function connectNetns(a: VethEnd, b: VethEnd, options: { readonly mtu?: number } = {}): void {
  const peerNamespace = openSync(b.netns.path, 'r');
  try {
    const mtu = options.mtu === undefined ? {} : { mtu: options.mtu };
    const peer = { name: b.name, netnsFd: peerNamespace, ...mtu };
    a.netns.netlink.execute(newLink({ name: a.name, ...mtu, info: { kind: 'veth', veth: { peer } } }));
  } finally {
    closeSync(peerNamespace);
  }
  const ends = [a, b].map(({ netns, name, addresses = [] }) => ({
    netlink: netns.netlink,
    index: bringUp(netns.netlink, name),
    addresses: addresses.map((text) => unwrap(parseInterfaceAddress(text))),
  }));
  for (const { netlink, index, addresses } of ends) {
    for (const address of addresses) addTestAddress(netlink, index, address);
  }
  for (const { netlink, index, addresses } of ends) waitUntilUsable(netlink, index, addresses);
}

/** IFA_F_NODAD: nobody else can have the address. */
function addTestAddress(netlink: NetlinkConnection, index: number, address: InterfaceAddress): void {
  netlink.execute(newAddress({ ...addressInput(index, address), flags: IFA_F.NODAD }));
}

/**
 * The kernel attaches the queue a moment after "up"; in a work item, also without duplicate detection, it joins an IPv6
 * address's multicast group and adds its local route. What is sent before (the first ARP or ND request) is lost for a second.
 */
function waitUntilUsable(netlink: NetlinkConnection, index: number, addresses: readonly InterfaceAddress[]): void {
  const end = performance.now() + 5_000;
  const usable = (): boolean =>
    getLink(netlink, { index }).operState === IF_OPER.UP &&
    listAddresses(netlink, { index }).every(
      ({ flags = 0, scope }) => scope === RT_SCOPE.LINK || (flags & IFA_F.TENTATIVE) === 0,
    ) &&
    addresses.every(({ ip }) => isLocal(netlink, ip));
  while (!usable()) {
    if (performance.now() > end) throw new Error(`device ${index} did not become usable within 5 s`);
    Bun.sleepSync(1);
  }
}

function isLocal(netlink: NetlinkConnection, ip: Ip): boolean {
  return listRoutes(netlink, { type: RTN.LOCAL, family: ipFamily(ip) }).some(({ dst }) => dst === ip);
}

function bringUp(netlink: NetlinkConnection, name: string): number {
  const { index } = getLink(netlink, { name });
  netlink.execute(setLink({ index, flags: IFF.UP, change: IFF.UP }));
  return index;
}
