import { struct, u32At, u8At } from '../wire/struct.ts';

/**
 * struct ifaddrmsg (linux/if_addr.h):
 *
 *     0        1           2       3       4         8
 *     | family | prefixlen | flags | scope | index   |
 */
export const addressHeader = struct(8, {
  family: u8At(0),
  prefixLen: u8At(1),
  /** The lower eight bits of `flags`; the kernel looks at the attribute if it is there. */
  headerFlags: u8At(2),
  /** RT_SCOPE_*. */
  scope: u8At(3),
  index: u32At(4),
});
