import { openNetlinkConnection, openRtnetlinkMonitor } from '@canal/linux-ffi';
import { AF, findLink, listLinks, type NetlinkConnection, RTNLGRP } from 'netlink-ts';
import type { LinkEvent } from './link-watch.ts';

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
        if (name !== undefined && successor !== undefined) yield { type: 'present', index: successor.index, name };
        if (successor?.index !== index) yield { type: 'gone', index };
      } else if (name !== undefined) yield { type: 'present', index, name };
    }
  }
}

function allLinks(netlink: NetlinkConnection): LinkEvent {
  const links = listLinks(netlink).flatMap(({ index, name }) => (name === undefined ? [] : [{ index, name }]));
  return { type: 'resync', links };
}
