import { s32At, struct, type StructOf, u16At, u32At, u8At } from '../wire/struct.ts';

/**
 * struct ifinfomsg (linux/rtnetlink.h):
 *
 *     0        1      2        4         8         12        16
 *     | family | pad  | type   | index   | flags   | change  |
 */
export const linkHeader = struct(16, {
  family: u8At(0),
  /** ARPHRD_*. */
  type: u16At(2),
  index: s32At(4),
  /** IFF_*. */
  flags: u32At(8),
  /** In requests: which bits of `flags` are meant. */
  change: u32At(12),
});

export type LinkHeader = StructOf<typeof linkHeader>;
