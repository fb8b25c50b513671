import type { InterfaceName, Ip } from 'net-types';

/** How this node reaches an address, by its routing tables. */
export type IpPath =
  /** On a network of one of our links: no router in between. */
  | { readonly type: 'direct'; readonly link: InterfaceName; readonly source?: Ip }
  /** By way of a router. */
  | { readonly type: 'gateway'; readonly link: InterfaceName; readonly gateway: Ip; readonly source?: Ip }
  /** One of this node's own addresses. */
  | { readonly type: 'local' }
  /** No route, or one that drops. */
  | { readonly type: 'unreachable' };
