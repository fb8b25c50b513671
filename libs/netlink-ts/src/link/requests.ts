import type { NetlinkConnection } from '../connection/connection.ts';
import { isNotFound } from '../connection/netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import { AF } from '../rtnetlink/family.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { RTEXT_FILTER } from './constants.ts';
import { type LinkHeader, linkHeader } from './header.ts';
import { type Link, linkCodec, type LinkInput } from './message.ts';

/** By index or by name; a name of more than 15 bytes is looked for among the alternative names. */
export type LinkSelector = { readonly index: number } | { readonly name: string };

export interface LinkFilter {
  /** Index of the master: a bridge's ports. */
  readonly master?: number;
  /** Device kind: `vxlan`. */
  readonly kind?: string;
  /** Counters cost as much as the rest of the answer: left out unless asked for. */
  readonly stats?: boolean;
}

/** Creates a device; fails with EEXIST if the name is taken. Other NLM_F flags change that. */
export function newLink(link: LinkInput, flags: number = NLM_F.CREATE | NLM_F.EXCL): NetlinkRequest {
  return objectRequest('new link', RTM.NEWLINK, flags, linkCodec, link);
}

/** Changes a device that is there, named by `index` or `name`. Flags go in pairs with `change`. */
export function setLink(link: LinkInput): NetlinkRequest {
  return objectRequest('set link', RTM.NEWLINK, 0, linkCodec, link);
}

/** Removes a device, or with `group` all devices of a group at once. */
export function delLink(selector: LinkSelector | { readonly group: number }): NetlinkRequest {
  return objectRequest('delete link', RTM.DELLINK, 0, linkCodec, 'group' in selector ? selector : selecting(selector));
}

/** Gives a device another name to be found by. */
export function newAltName(index: number, altName: string): NetlinkRequest {
  return objectRequest('new alternative name', RTM.NEWLINKPROP, NLM_F.CREATE | NLM_F.EXCL | NLM_F.APPEND, linkCodec, {
    index,
    altNames: [altName],
  });
}

/** Throws a NetlinkError (`isNotFound`) when there is no such device. */
export function getLink(
  connection: NetlinkConnection,
  selector: LinkSelector,
  options: { stats?: boolean } = {},
): Link {
  const request = { ...selecting(selector), ...extMask(options.stats) };
  return connection.get(objectQuery('get link', RTM.GETLINK, RTM.NEWLINK, linkCodec, request));
}

/** Undefined when there is no such device. */
export function findLink(
  connection: NetlinkConnection,
  selector: LinkSelector,
  options: { stats?: boolean } = {},
): Link | undefined {
  try {
    return getLink(connection, selector, options);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The index of a device, without reading the rest of its description. Undefined when there is no such device. */
export function findLinkIndex(connection: NetlinkConnection, name: string): number | undefined {
  const query: NetlinkQuery<LinkHeader> = {
    ...objectQuery('get link', RTM.GETLINK, RTM.NEWLINK, linkCodec, selecting({ name })),
    decode: ({ source, payloadStart, payloadEnd }) => linkHeader.decode(source, payloadStart, payloadEnd),
  };
  try {
    return connection.get(query).index;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function listLinks(connection: NetlinkConnection, filter: LinkFilter = {}): Link[] {
  const request: LinkInput = {
    ...extMask(filter.stats),
    ...(filter.master !== undefined && { master: filter.master }),
    ...(filter.kind !== undefined && { info: { kind: filter.kind } }),
  };
  return connection.dump(objectQuery('list links', RTM.GETLINK, RTM.NEWLINK, linkCodec, request));
}

/** The ports of all bridges, as AF_BRIDGE messages: with `bridgePort`, and with VLANs if `vlans` is set. */
export function listBridgePorts(connection: NetlinkConnection, options: { vlans?: boolean } = {}): Link[] {
  const extMask = options.vlans === true ? RTEXT_FILTER.BRVLAN : 0;
  return connection.dump(
    objectQuery('list bridge ports', RTM.GETLINK, RTM.NEWLINK, linkCodec, { family: AF.BRIDGE, extMask }),
  );
}

function extMask(stats: boolean | undefined): LinkInput {
  return stats === true ? {} : { extMask: RTEXT_FILTER.SKIP_STATS };
}

function selecting(selector: LinkSelector): LinkInput {
  if ('index' in selector) return { index: selector.index };
  return selector.name.length > 15 ? { altName: selector.name } : { name: selector.name };
}
