import { s32At, struct, u16At, u8At } from '../wire/struct.ts';

/**
 * struct ndmsg (linux/neighbour.h):
 *
 *     0        1     4         8       10      11     12
 *     | family | pad | index   | state | flags | type |
 */
export const neighbourHeader = struct(12, {
  /** AF_INET, AF_INET6, or AF_BRIDGE for an FDB entry. */
  family: u8At(0),
  index: s32At(4),
  /** NUD_*. */
  state: u16At(8),
  /** NTF_*. */
  flags: u8At(10),
  /** RTN_*. */
  type: u8At(11),
});
