/** Bit of the conntrack mark of flows that policy has cut. The other bits belong to others. */
export const CUT_MARK = 0x2000_0000;
