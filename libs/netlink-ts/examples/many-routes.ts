/** 10,000 routes through one nexthop object, in a handful of system calls. Needs root and Linux 5.3. */
import { cidrOf, type Ipv4, parseInterfaceAddress, parseIp, unwrap } from 'net-types';
import {
  addressInput,
  AF,
  createNetlinkConnection,
  delNexthop,
  findLinkIndex,
  IFF,
  listRoutes,
  newAddress,
  newLink,
  newNexthop,
  newRoute,
  routeTo,
  setLink,
} from 'netlink-ts';
import { openTransport } from './bun-transport.ts';

/** Marks our routes: any number that /etc/iproute2/rt_protos does not list. */
const PROTOCOL = 198;

using connection = createNetlinkConnection(openTransport);
connection.execute(newLink({ name: 'way-out', info: { kind: 'bridge' } }));
const oif = findLinkIndex(connection, 'way-out') ?? 0;
connection.execute(setLink({ index: oif, flags: IFF.UP, change: IFF.UP }));
connection.execute(newAddress(addressInput(oif, unwrap(parseInterfaceAddress('192.0.2.1/24')))));
connection.execute(newNexthop({ id: 1, family: AF.INET, oif, gateway: unwrap(parseIp('192.0.2.2')) }));

const requests = Array.from({ length: 10_000 }, (_, index) => {
  const destination = cidrOf((0x0a00_0000 + index * 256) as Ipv4, 24);
  return newRoute({ ...routeTo(destination), nexthopId: 1, protocol: PROTOCOL });
});
const errors = connection.batch(requests).filter((error) => error !== undefined);
console.log('refused:', errors.length, 'listed:', listRoutes(connection, { protocol: PROTOCOL }).length);

connection.execute(delNexthop(1));
console.log('without the nexthop:', listRoutes(connection, { protocol: PROTOCOL }).length);
