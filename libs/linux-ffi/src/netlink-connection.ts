/** Connections and monitors ready for use: netlink-ts over this library's sockets. */
import { writeSync } from 'node:fs';
import {
  createNetlinkConnection,
  createRtnetlinkMonitor,
  formatWireDump,
  type NetlinkConnection,
  type NetlinkMonitor,
  type RtnetlinkEvent,
  type WireTrace,
} from 'netlink-ts';
import { openNetlinkEventSocket } from './netlink-event-socket.ts';
import { type NetlinkSocketOptions, type NetlinkRequestSocketOptions, openNetlinkSocket } from './netlink-socket.ts';

/** A connection of the process's namespace, or of the one that `netns` names. Dispose of it to close the socket. */
export function openNetlinkConnection(options: NetlinkRequestSocketOptions = {}): NetlinkConnection {
  return createNetlinkConnection(() => openNetlinkSocket(options), { trace: traceFromEnvironment() });
}

/** Link, address, route, … events of the given groups (RTNLGRP), from this call on. */
export function openRtnetlinkMonitor(
  options: NetlinkSocketOptions & { readonly groups: readonly number[]; readonly signal?: AbortSignal },
): NetlinkMonitor<RtnetlinkEvent> {
  const { signal, ...socket } = options;
  return createRtnetlinkMonitor(() => openNetlinkEventSocket(socket), { signal, trace: traceFromEnvironment() });
}

/** NETLINK_TS_DEBUG=1 writes every datagram to standard error. */
export function traceFromEnvironment(): WireTrace | undefined {
  if (process.env['NETLINK_TS_DEBUG'] !== '1') return undefined;
  return (direction, datagram) => {
    writeSync(2, formatWireDump(direction, datagram));
  };
}
