/** Connections and monitors ready for use: netlink-ts over this library's sockets. */
import { writeSync } from 'node:fs';
import {
  createNetlinkConnection,
  createRtnetlinkMonitor,
  formatWireDump,
  type NetlinkConnection,
  type NetlinkMonitor,
  type NetlinkTransport,
  type RtnetlinkEvent,
  type WireTrace,
} from 'netlink-ts';
import { openNetlinkEventSocket } from './netlink-event-socket.ts';
import { type NetlinkSocketOptions, type NetlinkRequestSocketOptions, openNetlinkSocket } from './netlink-socket.ts';

/** A connection of the process's namespace, or of the one that `netns` names. Dispose of it to close the socket. */
export function openNetlinkConnection(options: NetlinkRequestSocketOptions = {}): NetlinkConnection {
  return createNetlinkConnection(() => openNetlinkSocket(options), { trace: traceFromEnvironment() });
}

/** A connection whose own doings a monitor can tell from those of others. */
export interface KnownConnection {
  readonly connection: NetlinkConnection;
  /** Whether a message with this port id was caused by the connection. */
  readonly isOwnPort: (portId: number) => boolean;
}

/** Ports that count as our own: a port that was given up may soon be another program's. */
const KNOWN_PORTS = 2;

/**
 * `openNetlinkConnection`, with the ports that it has had: a connection that breaks down gets a new socket, with another
 * port, and events that the old one caused may still be on their way.
 */
export function openKnownConnection(options: NetlinkRequestSocketOptions = {}): KnownConnection {
  let ports: readonly number[] = [];
  const open = (): NetlinkTransport => {
    const socket = openNetlinkSocket(options);
    ports = [socket.portId, ...ports].slice(0, KNOWN_PORTS);
    return socket;
  };
  const connection = createNetlinkConnection(open, { trace: traceFromEnvironment() });
  return { connection, isOwnPort: (portId) => ports.includes(portId) };
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
