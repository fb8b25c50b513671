import { nfgenmsg } from '../nfnetlink/header.ts';
import { be32Signed } from '../nfnetlink/scalars.ts';
import { attribute, type AttributesOf, attributeTable, list, nested } from '../wire/attribute-table.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring } from '../wire/scalars.ts';
import { counterTable } from './expression/counter.ts';

/** Priorities by name (enum nf_ip_hook_priorities). Chains of one hook run in ascending order. */
export const NF_IP_PRI = {
  RAW: -300,
  /** The packet's flow is looked up here: a chain before it knows none. */
  CONNTRACK: -200,
  MANGLE: -150,
  NAT_DST: -100,
  FILTER: 0,
  SECURITY: 50,
  NAT_SRC: 100,
} as const;

/** Priorities of the bridge family (enum nf_br_hook_priorities); its hooks are numbered as NF_INET. */
export const NF_BR_PRI = { NAT_DST: -300, FILTER: -200, OUT: 100, NAT_SRC: 300 } as const;

/** Hooks of the arp family. */
export const NF_ARP = { IN: 0, OUT: 1 } as const;

/** Hooks of the netdev family: their chains name a device, which older kernels want to be there. */
export const NF_NETDEV = { INGRESS: 0, EGRESS: 1 } as const;

const hookTable = attributeTable({
  /** NF_INET, NF_ARP or NF_NETDEV, by family. */
  number: attribute(1, be32),
  priority: attribute(2, be32Signed),
  device: attribute(3, cstring),
  devices: attribute(4, list(1, cstring)),
});

export type NftHook = AttributesOf<typeof hookTable>;

export const chainCodec = objectCodec(
  'nft chain',
  nfgenmsg,
  attributeTable({
    table: attribute(1, cstring),
    handle: attribute(2, be64),
    name: attribute(3, cstring),
    /** Present for base chains alone: those that netfilter calls. */
    hook: attribute(4, nested(hookTable)),
    /** NFT_VERDICT.ACCEPT or DROP: what becomes of a packet at the end of a base chain. */
    policy: attribute(5, be32),
    /** How many rules it has, and how many refer to it. */
    use: attribute(6, be32),
    /** `filter`, `nat` or `route`. */
    type: attribute(7, cstring),
    /** What the policy of a base chain has decided upon, where the chain was made with counters. */
    counters: attribute(8, nested(counterTable)),
    flags: attribute(10, be32),
    /** A number by which other requests of the transaction may name it. */
    id: attribute(11, be32),
    userData: attribute(12, bytes),
  }),
);

export type NftChain = ObjectOf<typeof chainCodec>;
export type NftChainInput = InputOf<typeof chainCodec>;
