import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { type NetnsId, NETNSA_NSID_NOT_ASSIGNED, netnsIdCodec, type NetnsIdInput } from './message.ts';

/** Numbers a namespace given by `fd` or `pid`; `nsid` -1 lets the kernel choose. EEXIST if it has a number. */
export function newNetnsId(input: NetnsIdInput): NetlinkRequest {
  return objectRequest('new netns id', RTM.NEWNSID, 0, netnsIdCodec, { nsid: NETNSA_NSID_NOT_ASSIGNED, ...input });
}

/** The number of the namespace given by `fd` or `pid`; undefined if it has none. */
export function getNetnsId(connection: NetlinkConnection, input: NetnsIdInput): number | undefined {
  const { nsid } = connection.get(objectQuery('get netns id', RTM.GETNSID, RTM.NEWNSID, netnsIdCodec, input));
  return nsid === undefined || nsid === NETNSA_NSID_NOT_ASSIGNED ? undefined : nsid;
}

/** All namespaces that have a number in the connection's namespace. */
export function listNetnsIds(connection: NetlinkConnection): NetnsId[] {
  return connection.dump(objectQuery('list netns ids', RTM.GETNSID, RTM.NEWNSID, netnsIdCodec, {}));
}
