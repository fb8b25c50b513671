import type { Cidr4, Cidr6, Port, Vni } from 'net-types';

/** net-conf.json after flannel's defaults and checks. */
export interface NetConf {
  readonly network?: Cidr4;
  readonly ipv6Network?: Cidr6;
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly backend: BackendConf;
}

export type BackendConf = VxlanConf | HostGwConf;

export interface VxlanConf {
  readonly type: 'vxlan';
  readonly vni: Vni;
  readonly port: Port;
  readonly gbp: boolean;
  readonly learning: boolean;
  readonly directRouting: boolean;
  /** MTU of the underlay that device MTUs are derived from; the external interface's when absent. */
  readonly mtuBytes?: number;
}

export interface HostGwConf {
  readonly type: 'host-gw';
}
