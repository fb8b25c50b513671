/**
 * What a chain of plugins made, in the shape of specification 1.1. Older versions are read into it and printed from it.
 * A chained plugin hands on what others made, so what canal does not judge (MAC text, sandbox) stays as it came.
 */
import { type InterfaceAddress, type Ip } from 'net-types';

export interface CniInterface {
  readonly name: string;
  /** As written: other plugins have 20-byte addresses, too. */
  readonly mac?: string;
  /** Bytes; from 1.1. */
  readonly mtu?: number;
  /** Namespace path of an interface inside the container; absent on the host. */
  readonly sandbox?: string;
  /** From 1.1. */
  readonly socketPath?: string;
  /** From 1.1. */
  readonly pciID?: string;
}

export interface CniIp {
  readonly address: InterfaceAddress;
  readonly gateway?: Ip;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface CniRoute {
  /** Host bits are kept: some plugins write them. */
  readonly dst: InterfaceAddress;
  readonly gw?: Ip;
  /** From here on: 1.1 alone. */
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  /** 0 global, 253 link, 254 host. */
  readonly scope?: number;
}

export interface CniDns {
  readonly nameservers: readonly string[];
  readonly domain?: string;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

export const NO_DNS: CniDns = { nameservers: [], search: [], options: [] };
