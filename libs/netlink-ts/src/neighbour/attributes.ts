import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { be16, ip, mac, nestBytes, s32, u16, u32, u8 } from '../wire/scalars.ts';
import { struct, u32At } from '../wire/struct.ts';
import { NDA } from './constants.ts';

export const neighbourTable = attributeTable({
  /** The neighbour's address; in a vxlan FDB entry the far end of the tunnel. */
  dst: attribute(NDA.DST, ip),
  lladdr: attribute(NDA.LLADDR, mac),
  /** Times in hundredths of a second since. */
  cacheInfo: attribute(
    NDA.CACHEINFO,
    struct(16, { confirmed: u32At(0), used: u32At(4), updated: u32At(8), refCount: u32At(12) }),
  ),
  probes: attribute(NDA.PROBES, u32),
  vlan: attribute(NDA.VLAN, u16),
  /** FDB: UDP port of the far end, if not the device's. */
  port: attribute(NDA.PORT, be16),
  vni: attribute(NDA.VNI, u32),
  /** FDB: device by which the far end is reached. */
  outputIndex: attribute(NDA.IFINDEX, u32),
  master: attribute(NDA.MASTER, u32),
  linkNetnsId: attribute(NDA.LINK_NETNSID, s32),
  srcVni: attribute(NDA.SRC_VNI, u32),
  /** Who added it, as for routes (Linux 4.20; not kept for FDB entries). */
  protocol: attribute(NDA.PROTOCOL, u8),
  nexthopId: attribute(NDA.NH_ID, u32),
  fdbExt: attribute(NDA.FDB_EXT_ATTRS, nestBytes),
  /** NTF_EXT_*. */
  flagsExt: attribute(NDA.FLAGS_EXT, u32),
});
