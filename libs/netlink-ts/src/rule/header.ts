import { struct, u32At, u8At } from '../wire/struct.ts';

/**
 * struct fib_rule_hdr (linux/fib_rules.h):
 *
 *     0        1         2         3     4       5     7        8         12
 *     | family | dst_len | src_len | tos | table | pad | action | flags   |
 */
export const ruleHeader = struct(12, {
  family: u8At(0),
  dstLen: u8At(1),
  srcLen: u8At(2),
  tos: u8At(3),
  /** `table` if that is below 256, else 0 or 252. */
  headerTable: u8At(4),
  /** FR_ACT_*. */
  action: u8At(7),
  /** FIB_RULE_*. */
  flags: u32At(8),
});
