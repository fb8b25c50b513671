/** What ADD answers: its own interfaces, addresses and routes, behind those of plugins before it. */
import {
  type CniInterface,
  type CniIp,
  type CniResult,
  type CniRoute,
  type NetworkConfig,
  NO_DNS,
} from '@canal/cni-spec';
import type { Mac } from 'net-types';
import type { WiringPlan } from './wiring-plan.ts';

export interface AddedBridge {
  readonly name: string;
  readonly mac?: Mac;
  readonly mtu?: number;
}

/** `bridge` comes first, then the host's end, then the pod's: as the bridge plugin orders them. */
export function addedResult(network: NetworkConfig, plan: WiringPlan, bridge: AddedBridge | undefined): CniResult {
  const { attachment, podRoutes } = plan;
  const before = network.prevResult ?? { interfaces: [], ips: [], routes: [], dns: NO_DNS };
  const mtu = attachment.mtuBytes;
  const interfaces: CniInterface[] = [
    ...(bridge === undefined ? [] : [bridge]),
    { name: attachment.hostInterface, mac: attachment.hostMac, mtu },
    { name: attachment.containerInterface, mac: attachment.containerMac, mtu, sandbox: attachment.netns },
  ];
  const podIndex = before.interfaces.length + interfaces.length - 1;
  const ips = attachment.addresses.map((address, index): CniIp => {
    const gateway = attachment.gateways[index];
    return { address, ...(gateway !== undefined && { gateway }), interface: podIndex };
  });
  // A route without gateway would be read as "by the default gateway": the one to the next hop stays the plugin's own.
  const routes = podRoutes.flatMap(({ destination, gateway }): CniRoute[] =>
    gateway === undefined ? [] : [{ dst: destination, gw: gateway }],
  );
  return {
    interfaces: [...before.interfaces, ...interfaces],
    ips: [...before.ips, ...ips],
    routes: [...before.routes, ...routes],
    dns: network.dns === NO_DNS ? before.dns : network.dns,
  };
}
