import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** How NAT chooses ports (NF_NAT_RANGE_* of linux/netfilter/nf_nat.h). */
export const NF_NAT_RANGE = {
  PROTO_SPECIFIED: 0x02,
  PROTO_RANDOM: 0x04,
  PERSISTENT: 0x08,
  /** Ports at random from the start; without it two flows may be given one port at the same moment and one is lost. */
  PROTO_RANDOM_FULLY: 0x10,
} as const;

/** The source becomes the address of the outgoing interface. Ends the evaluation. The kernel tells no `flags` of zero. */
export const masqueradeTable = attributeTable({
  flags: attribute(1, be32),
  /** Registers with the port range, where PROTO_SPECIFIED is among the flags. */
  portMinReg: attribute(2, be32),
  portMaxReg: attribute(3, be32),
});
