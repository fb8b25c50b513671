import { openNetlinkConnection, openRtnetlinkMonitor } from '@canal/linux-ffi';
import { AF, findLink, type Link, listLinks, type NetlinkConnection, RTNLGRP } from 'netlink-ts';
import type { LinkEvent, WatchedLink } from './link-watch.ts';

/** Link events of this network namespace; see LinkEvent. */
export async function* netlinkLinks(signal: AbortSignal): AsyncGenerator<LinkEvent, void> {
  using monitor = openRtnetlinkMonitor({ groups: [RTNLGRP.LINK], signal });
  using netlink = openNetlinkConnection();
  yield allLinks(netlink);
  for await (const event of monitor) {
    if (event.type === 'resync') yield allLinks(netlink);
    // A port that leaves a bridge is told of as a link that is deleted, in that family.
    else if (event.type === 'link' && event.link.family !== AF.BRIDGE) {
      const { index, name } = event.link;
      if (event.action === 'del') {
        // Another of that name may have been made, and announced, before this is heard: its endpoint must not end.
        const successor = name === undefined ? undefined : findLink(netlink, { name });
        if (successor !== undefined) yield* present(successor);
        if (successor?.index !== index) yield { type: 'gone', index };
      } else yield* present(event.link);
    }
  }
}

function allLinks(netlink: NetlinkConnection): LinkEvent {
  return { type: 'resync', links: listLinks(netlink).flatMap(watched) };
}

function present(link: Link): LinkEvent[] {
  return watched(link).map((one) => ({ type: 'present', ...one }));
}

/** None without a name. */
function watched({ index, name, address }: Link): WatchedLink[] {
  return name === undefined ? [] : [{ index, name, ...(address !== undefined && { address }) }];
}
