export { execInRoot } from './exec-in-root.ts';
export { lockFile, tryLockFile } from './file-lock.ts';
export { type LegacyHook, type LegacyTable, readLegacyTable } from './legacy-iptables.ts';
export { isLinuxError, LinuxError } from './linux-error.ts';
export { mountOptionsOf } from './mount-options.ts';
export { bindMount, MNT_DETACH, mount, MS, shareMount, unmount } from './mount.ts';
export {
  type KnownConnection,
  openKnownConnection,
  openNetlinkConnection,
  openRtnetlinkMonitor,
  traceFromEnvironment,
} from './netlink-connection.ts';
export { openNetlinkEventSocket } from './netlink-event-socket.ts';
export {
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  type NetlinkRequestSocketOptions,
  type NetlinkSocketOptions,
  openNetlinkSocket,
} from './netlink-socket.ts';
export {
  createNetns,
  netnsIdentity,
  type NetnsRef,
  openNewNetns,
  removeNetns,
  warmThreadPool,
  withNetns,
} from './netns.ts';
export { awaitPacketsInFlight } from './packet-barrier.ts';
export { peerCredentials, type PeerCredentials } from './peer-credentials.ts';
export { ping, type PingOptions, type PingResult } from './ping.ts';
export { openTun, type Tun, type TunOptions } from './tun.ts';
export { openUdpSocket, type UdpSocket, type UdpSocketOptions, type UdpTarget, udpTarget } from './udp-socket.ts';
export { connectUnixStream, type UnixStream } from './unix-stream.ts';
