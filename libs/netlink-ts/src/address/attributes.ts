import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { cstring, ip, s32, u32, u8 } from '../wire/scalars.ts';
import { struct, u32At } from '../wire/struct.ts';
import { IFA } from './constants.ts';

export const addressTable = attributeTable({
  /** The network's address; on point-to-point links the other end's. IPv6 has its own address here. */
  address: attribute(IFA.ADDRESS, ip),
  /** The interface's own address (IPv4; IPv6 only with a peer). */
  local: attribute(IFA.LOCAL, ip),
  label: attribute(IFA.LABEL, cstring),
  broadcast: attribute(IFA.BROADCAST, ip),
  anycast: attribute(IFA.ANYCAST, ip),
  /** Seconds that remain (0xffffffff: forever); creation and change in hundredths of a second since boot. */
  cacheInfo: attribute(
    IFA.CACHEINFO,
    struct(16, { preferredSeconds: u32At(0), validSeconds: u32At(4), created: u32At(8), updated: u32At(12) }),
  ),
  multicast: attribute(IFA.MULTICAST, ip),
  /** IFA_F_*. */
  flags: attribute(IFA.FLAGS, u32),
  /** Metric of the route to the address's network. */
  routePriority: attribute(IFA.RT_PRIORITY, u32),
  targetNetnsId: attribute(IFA.TARGET_NETNSID, s32),
  /** Who added it (IFAPROT_*, Linux 5.18). */
  protocol: attribute(IFA.PROTO, u8),
});
