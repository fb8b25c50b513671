/** How this machine would send to many addresses, a few hundred look-ups in a datagram. */
import type { IpPath } from '@canal/model';
import type { Ip } from 'net-types';
import {
  AF,
  familyOfIp,
  NLM_F,
  NLMSG,
  type NetlinkConnection,
  type Route,
  RTM,
  RTN,
  routeCodec,
  type WireWriter,
} from 'netlink-ts';
import { LinkNames } from './link-names.ts';

/** Answers of about 1 KiB each with the kernel's bookkeeping: well within the receive buffer. */
const LOOK_UPS_PER_DATAGRAM = 256;

export function findPaths(connection: NetlinkConnection, addresses: readonly Ip[]): ReadonlyMap<Ip, IpPath> {
  const names = LinkNames.read(connection);
  const paths = new Map<Ip, IpPath>();
  for (let at = 0; at < addresses.length; at += LOOK_UPS_PER_DATAGRAM) {
    const some = addresses.slice(at, at + LOOK_UPS_PER_DATAGRAM);
    for (const [index, route] of lookUp(connection, some).entries()) {
      const address = some[index];
      if (address !== undefined)
        paths.set(address, route === undefined ? { type: 'unreachable' } : toPath(route, names));
    }
  }
  return paths;
}

/** The route to each address, undefined where the kernel knows none. */
function lookUp(connection: NetlinkConnection, addresses: readonly Ip[]): (Route | undefined)[] {
  const routes = new Array<Route | undefined>(addresses.length).fill(undefined);
  let first = 0;
  let answers = 0;
  const write = (writer: WireWriter, nextSequence: () => number): void => {
    for (const [index, address] of addresses.entries()) {
      const sequence = nextSequence();
      if (index === 0) first = sequence;
      const mark = writer.beginMessage(RTM.GETROUTE, NLM_F.REQUEST, sequence);
      const family = familyOfIp(address);
      routeCodec.encode(writer, { family, dst: address, dstLen: family === AF.INET ? 32 : 128 });
      writer.endMessage(mark);
    }
  };
  connection.exchange('look up routes', write, (frame) => {
    const index = (frame.sequence - first) >>> 0;
    if (frame.type === RTM.NEWROUTE)
      routes[index] = routeCodec.decode(frame.source, frame.payloadStart, frame.payloadEnd);
    else if (frame.type !== NLMSG.ERROR) return false;
    return ++answers === addresses.length;
  });
  return routes;
}

function toPath({ type, oif, gateway, via, prefSrc }: Route, names: LinkNames): IpPath {
  if (type === RTN.LOCAL) return { type: 'local' };
  const link = names.nameOf(oif);
  if (type !== RTN.UNICAST || link === undefined) return { type: 'unreachable' };
  const source = prefSrc === undefined ? {} : { source: prefSrc };
  const router = gateway ?? via;
  return router === undefined
    ? { type: 'direct', link, ...source }
    : { type: 'gateway', link, gateway: router, ...source };
}
