import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { type Nexthop, nexthopCodec, type NexthopInput } from './message.ts';

export interface NexthopFilter {
  readonly oif?: number;
  readonly protocol?: number;
  readonly groupsOnly?: true;
}

/**
 * Adds a nexthop object; fails with EEXIST if the id is taken. With NLM_F.CREATE | NLM_F.REPLACE the routes that use the
 * id change over at once. Without an id the kernel chooses one.
 */
export function newNexthop(nexthop: NexthopInput, flags: number = NLM_F.CREATE | NLM_F.EXCL): NetlinkRequest {
  return objectRequest('new nexthop', RTM.NEWNEXTHOP, flags, nexthopCodec, nexthop);
}

/** Removes a nexthop object, and with it every route that uses it. */
export function delNexthop(id: number): NetlinkRequest {
  return objectRequest('delete nexthop', RTM.DELNEXTHOP, 0, nexthopCodec, { id });
}

/** Throws a NetlinkError: `isNotFound` without such an object, `isNotSupported` before Linux 5.3. */
export function getNexthop(connection: NetlinkConnection, id: number): Nexthop {
  return connection.get(objectQuery('get nexthop', RTM.GETNEXTHOP, RTM.NEWNEXTHOP, nexthopCodec, { id }));
}

export function listNexthops(connection: NetlinkConnection, filter: NexthopFilter = {}): Nexthop[] {
  const { oif, protocol, groupsOnly } = filter;
  const request: NexthopInput = { ...(oif !== undefined && { oif }), ...(groupsOnly && { groupsOnly }) };
  const query = objectQuery('list nexthops', RTM.GETNEXTHOP, RTM.NEWNEXTHOP, nexthopCodec, request);
  const nexthops = connection.dump(query);
  return protocol === undefined ? nexthops : nexthops.filter((nexthop) => nexthop.protocol === protocol);
}
