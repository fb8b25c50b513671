import type { VerdictRecord } from '@canal/kernel-port';
import {
  NETLINK_NETFILTER,
  type NetnsRef,
  openNetlinkConnection,
  openNetlinkEventSocket,
  traceFromEnvironment,
} from '@canal/linux-ffi';
import { createNflogMonitor, findConntrack, type NflogTransport } from 'netlink-ts';
import { withTrueEnds } from './cut-record.ts';
import { flowKernelError } from './flow-kernel-error.ts';
import { InterfaceNames } from './interface-names.ts';
import { NFLOG_GROUP, NFLOG_SNAP_BYTES } from './nflog-group.ts';
import { TokenBucket } from './token-bucket.ts';
import { verdictRecord } from './verdict-record.ts';

export interface VerdictOptions {
  /** Network namespace by path or open descriptor; the process's own when absent. */
  readonly netns?: NetnsRef | undefined;
}

/** Records that are told: more than our rules let through, which have limits of their own. The rest is counted. */
const TOLD = { perSecond: 5_000, burst: 10_000 } as const;

/** What waits in the kernel while we do other work; what does not fit is lost. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** The event loop's stream takes datagrams of less than 16 KiB whole. */
const DATAGRAM_BYTES = 8 * 1024;
/** Records wait for each other this long, or until there are so many. */
const TIMEOUT_CENTISECONDS = 10;
const THRESHOLD = 32;

/** How long other work may have to wait for us, in milliseconds. */
const SLICE_MS = 5;

/**
 * `PolicyKernel.verdicts`, from the first look on. A namespace has one listener: KernelError when there is another. What
 * cannot be told in time is lost and counted; no rate of packets takes more than the socket's buffer, or holds up
 * other work. Throws NetlinkError and LinuxError too.
 */
export async function* readVerdicts({ netns }: VerdictOptions, signal: AbortSignal): AsyncGenerator<VerdictRecord> {
  const bucket = new TokenBucket(TOLD);
  using names = new InterfaceNames(netns);
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns });
  const open = (): NflogTransport =>
    inSlices(
      openNetlinkEventSocket({
        protocol: NETLINK_NETFILTER,
        netns,
        receiveBufferBytes: RECEIVE_BUFFER_BYTES,
        ignoreOverruns: true,
      }),
    );
  using monitor = createNflogMonitor(open, {
    group: NFLOG_GROUP,
    copyBytes: NFLOG_SNAP_BYTES,
    bufferBytes: DATAGRAM_BYTES,
    timeoutCentiseconds: TIMEOUT_CENTISECONDS,
    threshold: THRESHOLD,
    admit: () => bucket.take(performance.now()),
    signal,
    trace: traceFromEnvironment(),
  });
  let unsaid = 0;
  try {
    for await (const { packet, lost } of monitor) {
      unsaid += lost;
      const nowMs = Date.now();
      const nameOf = (index: number): string | undefined => names.nameOf(index, nowMs);
      const record = verdictRecord(packet, { nowMs, lost: unsaid, nameOf });
      if (record === undefined) continue;
      unsaid = 0;
      yield record.reason === 'cut' ? withTrueEnds(record, (tuple) => findConntrack(connection, { tuple })) : record;
    }
  } catch (error) {
    throw flowKernelError(error);
  }
}

/** While there is always more to read, the stream's promises leave the event loop no turn. */
function inSlices(transport: NflogTransport): NflogTransport {
  let sliceEnd = performance.now() + SLICE_MS;
  return {
    ...transport,
    async read() {
      if (performance.now() > sliceEnd) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnd = performance.now() + SLICE_MS;
      }
      return transport.read();
    },
  };
}
