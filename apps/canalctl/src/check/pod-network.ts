import type { ForwardDrop, InterfaceFacts } from '@canal/kernel-port';
import { BRIDGE_NAME, HOST_VETH_PREFIX } from '@canal/model';
import { type Cidr, cidrContainsCidr, formatCidr } from 'net-types';
import { type Observation, ok, trouble } from './observation.ts';

/** Whether the host uses addresses of the pod network itself. */
export function judgePodNetwork(network: Cidr, interfaces: readonly InterfaceFacts[]): Observation {
  const thing = { id: 'pod-network', what: `pod network ${formatCidr(network)}`, found: 'nobody on this host has it' };
  const overlaps = (other: Cidr): boolean => cidrContainsCidr(network, other) || cidrContainsCidr(other, network);
  const used = interfaces
    .filter(({ name }) => !name.startsWith('flannel') && !name.startsWith(HOST_VETH_PREFIX) && name !== BRIDGE_NAME)
    .flatMap(({ name, onLinkNetworks }) =>
      onLinkNetworks.filter(overlaps).map((other) => `${formatCidr(other)} on ${name}`),
    );
  if (used.length === 0) return ok(thing.id, thing.what, thing.found);
  const cause = 'the host sends packets for these addresses elsewhere';
  const next = 'choose another pod network (Network in net-conf.json, --cluster-cidr), or other addresses for the host';
  return trouble('fail', { ...thing, found: used.join(', ') }, cause, next);
}

/** Chains of others in which new flows of pods end. */
export function judgeForwardDrops(drops: readonly ForwardDrop[]): readonly Observation[] {
  const [id, what] = ['forward-drops', 'forwarding of packets of pods'];
  if (drops.length === 0) return [ok(id, what, 'nobody drops them')];
  return drops.map(({ family, table, chain, message, cure }) =>
    trouble('warn', { id, what, found: `table ${family} ${table}, chain ${chain} drops` }, message, cure),
  );
}
