import { openNetlinkConnection, openRtnetlinkMonitor } from '@canal/linux-ffi';
import { AF, listLinks, RTNLGRP } from 'netlink-ts';
import type { LinkEvent } from './link-watch.ts';

/** Link events of this network namespace; see LinkEvent. */
export async function* netlinkLinks(signal: AbortSignal): AsyncGenerator<LinkEvent, void> {
  using monitor = openRtnetlinkMonitor({ groups: [RTNLGRP.LINK], signal });
  yield allLinks();
  for await (const event of monitor) {
    if (event.type === 'resync') yield allLinks();
    // A port that leaves a bridge is told of as a link that is deleted, in that family.
    else if (event.type === 'link' && event.link.family !== AF.BRIDGE) {
      const { index, name } = event.link;
      if (event.action === 'del') yield { type: 'gone', index };
      else if (name !== undefined) yield { type: 'present', index, name };
    }
  }
}

function allLinks(): LinkEvent {
  using netlink = openNetlinkConnection();
  const links = listLinks(netlink).flatMap(({ index, name }) => (name === undefined ? [] : [{ index, name }]));
  return { type: 'resync', links };
}
