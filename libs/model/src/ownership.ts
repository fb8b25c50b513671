/** How an agent without memory recognises its own kernel objects: fixed numbers that nobody else uses. */

/** rtm_protocol of node agent's routes and nexthop objects; /etc/iproute2/rt_protos and FRR leave 200..219 free. */
export const NODE_ROUTE_PROTOCOL = 203;

/** rtm_protocol of the routes to pods that the CNI plugin writes and the node agent repairs. */
export const POD_ROUTE_PROTOCOL = 204;

/** Nexthop object ids of canal: 0x0ca0_0000 .. 0x0caf_ffff. */
export const NEXTHOP_ID_FIRST = 0x0ca0_0000;
export const NEXTHOP_ID_COUNT = 0x0010_0000;

/** Name prefix of the host end of a pod's veth, followed by 11 hex digits of a hash. */
export const HOST_VETH_PREFIX = 'cnl';

/** The nft table of masquerade and forward rules (family inet). */
export const NETWORK_NFT_TABLE = 'canal-network';

/** The nft tables of policy: rules (family inet), and guards that inet cannot give (families arp and bridge). */
export const POLICY_NFT_TABLE = 'canal-policy';

/** Bridge of bridge mode, named as flannel's. */
export const BRIDGE_NAME = 'cni0';

/**
 * IFLA_IFALIAS of devices that canal made or took over. A name alone does not tell: flannel uses the same ones by
 * contract, and a device that only looks like ours is never deleted.
 */
export const LINK_ALIAS = 'canal';
