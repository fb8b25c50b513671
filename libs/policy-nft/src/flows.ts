/**
 * Flows that were there before a change, judged again by the rules after it. The kernel's rules judge the first packet
 * of a flow alone; a flow that is denied now gets the CUT bit in its conntrack mark, and a rule drops what bears it,
 * before a rule of others can write to the mark.
 *
 * The entry is not deleted: the next packet of the server's side would make a new one, with client and server changed
 * about, which the rules may allow. A marked entry stays while either side sends, and goes when both are silent.
 */
import type { FlowJudgement } from '@canal/kernel-port';
import {
  awaitPacketsInFlight,
  NETLINK_NETFILTER,
  type NetnsRef,
  openNetlinkConnection,
  openNetlinkSocket,
} from '@canal/linux-ffi';
import type { RulePacket } from '@canal/rules-ast';
import { type Ip, ipFamily, type IpFamily } from 'net-types';
import {
  type ConntrackFilter,
  conntrackQuery,
  ConntrackScan,
  dumpByDatagram,
  isNotFound,
  type NetlinkConnection,
  type ScannedKey,
  setConntrackMark,
} from 'netlink-ts';
import { CUT_MARK } from './cut-mark.ts';
import { firstPacketAt } from './first-packet.ts';
import { flowKernelError } from './flow-kernel-error.ts';
import { ownAddresses } from './own-addresses.ts';

export interface JudgeFlowsOptions {
  /** Network namespace by path or open descriptor; the process's own when absent. */
  readonly netns?: NetnsRef | undefined;
  /** As `PolicyKernel.judgeFlows` has it; default true. */
  readonly tightened?: boolean;
}

/** How long other work may have to wait for us, in milliseconds. */
const SLICE_MS = 5;
/** Marks in one system call: a few milliseconds of the kernel. */
const BATCH = 1000;
/** Where the kernel does not say when packets have left their hooks: far longer than one stays there. */
const FLIGHT_MS = 100;

/**
 * `PolicyKernel.judgeFlows`; the rules that `allowed` speaks for are in force already. Throws KernelError, NetlinkError,
 * LinuxError and what `allowed` throws.
 *
 * No flow slips through. Its first packet was judged by the new rules, and then there is nothing to do; or by the old
 * ones, and then it has left the hook, and its entry is in the table, before we begin to read. An entry that goes while
 * we read or write needs no mark. One of the same tuple in its place was judged by the new rules: in case that it got
 * the mark, all marked flows are judged again at the end.
 *
 * A packet that was past the rule for marked flows when its flow was marked may yet come to a rule that writes the whole
 * mark (`CONNMARK --set-mark` without a mask). So marks are written once more when all those packets are gone.
 */
export async function judgeFlows(
  { netns, tightened = true }: JudgeFlowsOptions,
  addresses: ReadonlySet<Ip>,
  allowed: (packet: RulePacket) => boolean,
): Promise<FlowJudgement> {
  if (addresses.size === 0) return { seen: 0, cut: 0, mended: 0 };
  if (tightened) await packetsInFlight();
  const isOwn = ownAddresses(netns);
  const mayPass = (packet: RulePacket): boolean =>
    // As the static rules have it: a pod may talk to itself, and the node to its pods.
    packet.source === packet.destination || isOwn(packet.source) || allowed(packet);
  const filter: ConntrackFilter = { family: onlyFamily(addresses), zone: 0 };

  let seen = 0;
  const denied: ScannedKey[] = [];
  const pardoned: ScannedKey[] = [];
  await forEachFlow(netns, filter, addresses, (packet, entry) => {
    seen++;
    const isCut = (entry.mark & CUT_MARK) !== 0;
    if (mayPass(packet) === isCut) (isCut ? pardoned : denied).push(entry.key());
  });

  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns });
  const mended = await setMark(connection, pardoned, 0);
  const cut = await setMark(connection, denied, CUT_MARK);
  if (cut === 0) return { seen, cut, mended };
  await packetsInFlight();
  await setMark(connection, denied, CUT_MARK);

  const mistaken: ScannedKey[] = [];
  await forEachFlow(netns, { ...filter, mark: CUT_MARK, markMask: CUT_MARK }, addresses, (packet, entry) => {
    if (mayPass(packet)) mistaken.push(entry.key());
  });
  return { seen, cut: cut - (await setMark(connection, mistaken, 0)), mended };
}

/** Until packets that are under way have left the node's hooks. */
async function packetsInFlight(): Promise<void> {
  if (!awaitPacketsInFlight()) await new Promise((resolve) => setTimeout(resolve, FLIGHT_MS));
}

/** Reads the table once, and lets other work go in between. */
async function forEachFlow(
  netns: NetnsRef | undefined,
  filter: ConntrackFilter,
  addresses: ReadonlySet<Ip>,
  visit: (packet: RulePacket, entry: ConntrackScan) => void,
): Promise<void> {
  using socket = openNetlinkSocket({ protocol: NETLINK_NETFILTER, netns });
  const entry = new ConntrackScan();
  let sliceEnd = performance.now() + SLICE_MS;
  const datagrams = dumpByDatagram(socket, conntrackQuery(filter), (frame) => {
    entry.read(frame);
    const packet = firstPacketAt(entry, addresses);
    if (packet !== undefined) visit(packet, entry);
  });
  try {
    for (const _ of datagrams) {
      if (performance.now() < sliceEnd) continue;
      await otherWork();
      sliceEnd = performance.now() + SLICE_MS;
    }
  } catch (error) {
    throw flowKernelError(error);
  }
}

/** Sets or clears the CUT bit; the number of entries that were still there. */
async function setMark(connection: NetlinkConnection, keys: readonly ScannedKey[], mark: number): Promise<number> {
  let done = 0;
  for (let first = 0; first < keys.length; first += BATCH) {
    if (first > 0) await otherWork();
    const requests = keys.slice(first, first + BATCH).map((key) => setConntrackMark(key, mark, CUT_MARK));
    for (const error of connection.batch(requests)) {
      if (error === undefined) done++;
      else if (!isNotFound(error)) throw error;
    }
  }
  return done;
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Undefined: both. */
function onlyFamily(addresses: ReadonlySet<Ip>): IpFamily | undefined {
  const families = new Set(Array.from(addresses, ipFamily));
  const [family] = families;
  return families.size === 1 ? family : undefined;
}
