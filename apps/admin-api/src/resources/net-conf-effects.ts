/** What nodes and pods will see of another net-conf.json, a sentence each. */
import type { BackendConf, NetConf, VxlanConf } from '@canal/model';
import { type Cidr, cidrContainsCidr, cidrFamily, formatCidr, type IpFamily } from 'net-types';

export interface NodeSubnets {
  readonly node: string;
  readonly podCidrs: readonly Cidr[];
}

const MAX_NAMES = 8;

/** `before` is undefined where there was none that agents take. */
export function netConfEffects(before: NetConf | undefined, after: NetConf, nodes: readonly NodeSubnets[]): string[] {
  const effects = [
    ...familyEffects(4, [before?.network, after.network], nodes),
    ...familyEffects(6, [before?.ipv6Network, after.ipv6Network], nodes),
    ...backendEffects(before?.backend, after.backend),
  ];
  if (effects.length === 0) return ['nothing changes: agents read it as what they have'];
  return [...effects, 'each node follows within a minute or two, when its kubelet has brought the ConfigMap to it'];
}

function familyEffects(
  family: IpFamily,
  [before, after]: readonly [Cidr | undefined, Cidr | undefined],
  nodes: readonly NodeSubnets[],
): string[] {
  const field = family === 4 ? 'Network' : 'IPv6Network';
  const texts = [before, after].map((network) => (network === undefined ? 'none' : formatCidr(network)));
  if (texts[0] === texts[1]) return [];
  const effects = [`${field}: ${texts.join(' -> ')}`];
  if (after === undefined) {
    return [
      ...effects,
      `IPv${family} is off: nodes take its routes and rules away, and new pods get no IPv${family} address`,
    ];
  }
  if (before === undefined)
    effects.push(`IPv${family} is on: new pods get an IPv${family} address; running ones get none`);
  const outside = nodes.filter(({ podCidrs }) => {
    const own = podCidrs.find((cidr) => cidrFamily(cidr) === family);
    return own === undefined || !cidrContainsCidr(after, own);
  });
  if (outside.length > 0) {
    effects.push(
      `${counted(outside.length)} (${named(outside.map(({ node }) => node))}) with no pod subnet inside ${formatCidr(after)}: ` +
        'the agents there report it and keep the former network',
    );
  }
  return effects;
}

function backendEffects(before: BackendConf | undefined, after: BackendConf): string[] {
  if (before?.type !== after.type) {
    const effects = [
      `Backend.Type: ${before?.type ?? 'none'} -> ${after.type}`,
      after.type === 'vxlan'
        ? `each node makes the device flannel.${after.vni} and sends to peers through it as they announce theirs`
        : 'each node routes to peers directly: all nodes must be in one subnet, which must carry packets to addresses of pods',
    ];
    if (before !== undefined) effects.push(lingers(), mtu());
    return effects;
  }
  if (after.type !== 'vxlan' || before.type !== 'vxlan') return [];
  return vxlanEffects(before, after);
}

function vxlanEffects(before: VxlanConf, after: VxlanConf): string[] {
  const effects: string[] = [];
  const tell = <T extends number | boolean>(field: string, from: T | undefined, to: T | undefined): boolean => {
    if (from === to) return false;
    effects.push(`Backend.${field}: ${String(from ?? 'none')} -> ${String(to ?? 'none')}`);
    return true;
  };
  if (tell('VNI', before.vni, after.vni)) {
    effects.push(
      `each node makes the device flannel.${after.vni}; peers are sent to through it as they announce it`,
      lingers(),
    );
  }
  const fixed = [
    tell('Port', before.port, after.port),
    tell('GBP', before.gbp, after.gbp),
    tell('Learning', before.learning, after.learning),
  ];
  if (before.vni === after.vni && fixed.includes(true)) {
    effects.push(
      'each node makes its vxlan device again, when it reads this: packets between pods of different nodes are lost meanwhile',
    );
  }
  if (tell('DirectRouting', before.directRouting, after.directRouting)) {
    effects.push(
      after.directRouting
        ? 'nodes of one subnet send to each other without the tunnel'
        : 'nodes of one subnet send to each other through the tunnel, too',
    );
  }
  if (tell('MTU', before.mtuBytes, after.mtuBytes)) effects.push(mtu());
  return effects;
}

function lingers(): string {
  return 'the device of before stays for 30 s after its last use, for peers that have not heard yet';
}

function mtu(): string {
  return 'the MTU of new pods follows; running pods keep theirs until they are made again';
}

function counted(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(', ');
}
