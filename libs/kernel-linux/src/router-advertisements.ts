/**
 * A host that becomes an IPv6 router stops listening to routers (accept_ra 1 means "unless forwarding"): one that has its
 * default route from them would lose it when its lifetime ends. accept_ra 2 keeps such an interface as it is.
 */
import { listLinks, listRoutes, type NetlinkConnection, RTPROT } from 'netlink-ts';
import { LinkNames } from './link-names.ts';
import { toActualSysctls } from './read-links.ts';
import type { SysctlFiles } from './sysctl-files.ts';

/** To be called before conf/all/forwarding is switched on. */
export function keepRouterAdvertisements(connection: NetlinkConnection, files: SysctlFiles): void {
  const links = listLinks(connection);
  const names = new LinkNames(links);
  const listening = new Set(
    listRoutes(connection, { family: 6, protocol: RTPROT.RA }).map(({ oif }) => names.nameOf(oif)),
  );
  for (const { link, family, name, value } of links.flatMap(toActualSysctls)) {
    if (link === 'all' || family !== 6 || name !== 'accept_ra' || value !== 1 || !listening.has(link)) continue;
    files.write({ link, family, name, value: 2, enforce: true });
  }
}
