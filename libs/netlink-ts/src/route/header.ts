import { struct, u32At, u8At } from '../wire/struct.ts';

/**
 * struct rtmsg (linux/rtnetlink.h):
 *
 *     0        1         2         3     4       5          6       7      8         12
 *     | family | dst_len | src_len | tos | table | protocol | scope | type | flags   |
 */
export const routeHeader = struct(12, {
  family: u8At(0),
  dstLen: u8At(1),
  srcLen: u8At(2),
  tos: u8At(3),
  /** `table` if that is below 256, else 0 or 252. */
  headerTable: u8At(4),
  /** RTPROT_*. */
  protocol: u8At(5),
  /** RT_SCOPE_*. */
  scope: u8At(6),
  /** RTN_*. */
  type: u8At(7),
  /** RTM_F_* and, in the low byte, RTNH_F_*. */
  flags: u32At(8),
});
