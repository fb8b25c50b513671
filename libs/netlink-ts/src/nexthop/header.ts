import { struct, u32At, u8At } from '../wire/struct.ts';

/**
 * struct nhmsg (linux/nexthop.h):
 *
 *     0        1       2          3     4         8
 *     | family | scope | protocol | pad | flags   |
 */
export const nexthopHeader = struct(8, {
  family: u8At(0),
  /** Only in answers. */
  scope: u8At(1),
  /** RTPROT_*. */
  protocol: u8At(2),
  /** RTNH_F_*. */
  flags: u32At(4),
});
