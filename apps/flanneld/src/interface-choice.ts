/**
 * The interface that carries traffic between nodes, and the address that peers send to: flannel's order of preference,
 * decided for each address family by itself (flannel demands that both default routes leave by one link).
 */
import type { InterfaceOptions } from '@canal/config';
import type { DefaultRoute, InterfaceAddressFacts, InterfaceFacts } from '@canal/kernel-port';
import { publicIpFault } from '@canal/network-compile';
import {
  type Cidr,
  err,
  formatIp,
  type InterfaceName,
  type Ip,
  ipFamily,
  type IpFamily,
  ok,
  parseIp,
  type Result,
} from 'net-types';
import type { NodeProblem } from './node-problem.ts';
import { isPodSide } from './pod-side.ts';

export interface ChoiceInput {
  readonly family: IpFamily;
  readonly options: InterfaceOptions;
  readonly interfaces: readonly InterfaceFacts[];
  readonly defaultRoutes: readonly DefaultRoute[];
  /** The link that the route to --iface-can-reach leaves by, when there is one. */
  readonly canReachLink?: InterfaceName;
  /** Annotation node-public-ip or node-public-ipv6: as --public-ip, and stronger. */
  readonly nodePublicIp?: Ip;
  /** Annotation public-ip-overwrite or public-ipv6-overwrite: announced, while the interface stays as it is (NAT). */
  readonly publicIpOverwrite?: Ip;
}

export interface ChosenInterface {
  readonly family: IpFamily;
  readonly link: InterfaceName;
  readonly linkMtuBytes: number;
  readonly source: Ip;
  readonly publicIp: Ip;
  readonly onLinkNetworks: readonly Cidr[];
}

export function chooseInterface(input: ChoiceInput): Result<ChosenInterface, NodeProblem> {
  const wanted = input.nodePublicIp ?? optionPublicIp(input);
  const holder = wanted === undefined ? undefined : holderOf(input.interfaces, wanted);
  if (input.nodePublicIp !== undefined && holder === undefined) return err(notLocal(input.family, input.nodePublicIp));
  const found = isExplicit(input.options) ? explicit(input) : (holder ?? byDefaultRoute(input));
  if (found === undefined) return err(isExplicit(input.options) ? nothingMatches(input) : noDefaultRoute(input));
  const { facts, ip } = found;
  if (facts.mtuBytes <= 0) return err(noMtu(facts));
  const publicIp = input.publicIpOverwrite ?? wanted ?? ip;
  const fault = publicIpFault(publicIp);
  if (fault !== undefined) return err(invalidPublicIp(input, publicIp, fault));
  return ok({
    family: input.family,
    link: facts.name,
    linkMtuBytes: facts.mtuBytes,
    source: ip,
    publicIp,
    onLinkNetworks: facts.onLinkNetworks,
  });
}

interface Found {
  readonly facts: InterfaceFacts;
  readonly ip: Ip;
}

function optionPublicIp({ family, options }: ChoiceInput): Ip | undefined {
  return family === 4 ? options.publicIp : options.publicIpv6;
}

function isExplicit({ interfaces, patterns, canReach }: InterfaceOptions): boolean {
  return interfaces.length > 0 || patterns.length > 0 || canReach !== undefined;
}

function explicit(input: ChoiceInput): Found | undefined {
  for (const text of input.options.interfaces) {
    const found = byAddressOrName(input, text);
    if (found !== undefined) return found;
  }
  for (const pattern of input.options.patterns) {
    const found = byPattern(input, pattern);
    if (found !== undefined) return found;
  }
  const reaching = input.interfaces.find(({ name }) => name === input.canReachLink);
  const found = reaching && withBestAddress(input.family, reaching);
  if (found !== undefined) return found;
  // --iface-can-reach names one address, so it can only speak for the family of that address.
  return isAboutOtherFamily(input) ? byDefaultRoute(input) : undefined;
}

function isAboutOtherFamily({ family, options }: ChoiceInput): boolean {
  const { interfaces, patterns, canReach } = options;
  return interfaces.length === 0 && patterns.length === 0 && canReach !== undefined && ipFamily(canReach) !== family;
}

/** An address of the other family names the interface that holds it. */
function byAddressOrName(input: ChoiceInput, text: string): Found | undefined {
  const ip = parseIp(text);
  if (ip.ok) {
    const found = holderOf(input.interfaces, ip.value);
    if (found === undefined || ipFamily(ip.value) === input.family) return found;
    return withBestAddress(input.family, found.facts);
  }
  const facts = input.interfaces.find(({ name }) => name === text);
  return facts && withBestAddress(input.family, facts);
}

/** Addresses of all links come before names, as in flannel; links of pods are never meant. */
function byPattern(input: ChoiceInput, pattern: RegExp): Found | undefined {
  const candidates = input.interfaces.filter((facts) => !isPodSide(facts));
  for (const facts of candidates) {
    for (const { address } of usableAddresses(input.family, facts)) {
      if (pattern.test(formatIp(address.ip))) return { facts, ip: address.ip };
    }
  }
  for (const facts of candidates) {
    const found = pattern.test(facts.name) ? withBestAddress(input.family, facts) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of several next hops of equal cost the first that works is taken; flannel gives up. */
function byDefaultRoute({ family, interfaces, defaultRoutes }: ChoiceInput): Found | undefined {
  const found = defaultRoutes
    .filter((route) => route.family === family)
    .flatMap((route) => {
      const facts = interfaces.find(({ name }) => name === route.link);
      const usable = facts && !isPodSide(facts) ? withBestAddress(family, facts) : undefined;
      return usable === undefined ? [] : [usable];
    });
  return found.find(({ facts }) => facts.up && facts.carrier) ?? found[0];
}

function holderOf(interfaces: readonly InterfaceFacts[], ip: Ip): Found | undefined {
  const facts = interfaces.find(({ addresses }) => addresses.some(({ address }) => address.ip === ip));
  return facts && { facts, ip };
}

function withBestAddress(family: IpFamily, facts: InterfaceFacts): Found | undefined {
  const best = usableAddresses(family, facts)[0];
  return best && { facts, ip: best.address.ip };
}

/**
 * Global before link-local, permanent before dynamic, stable before temporary; the kernel's order among equals. None that
 * peers would refuse: while an IPv6 address is being checked for duplicates, only the link-local one is left.
 */
function usableAddresses(family: IpFamily, facts: InterfaceFacts): InterfaceAddressFacts[] {
  return facts.addresses
    .filter(({ address, deprecated, tentative }) => ipFamily(address.ip) === family && !deprecated && !tentative)
    .filter(({ address }) => publicIpFault(address.ip) === undefined)
    .sort((a, b) => rank(a) - rank(b));
}

function rank(facts: InterfaceAddressFacts): number {
  return (facts.linkScope ? 4 : 0) + (facts.permanent ? 0 : 2) + (facts.temporary ? 1 : 0);
}

function notLocal(family: IpFamily, ip: Ip): NodeProblem {
  const suffix = family === 4 ? 'ip' : 'ipv6';
  return {
    reason: 'PublicIPNotLocal',
    message: `the annotation node-public-${suffix} is ${formatIp(ip)}, which no interface of this node has`,
    cure: `Behind NAT set the annotation public-${suffix}-overwrite instead, else correct or remove it`,
  };
}

function invalidPublicIp({ family, publicIpOverwrite }: ChoiceInput, ip: Ip, fault: string): NodeProblem {
  const suffix = family === 4 ? 'ip' : 'ipv6';
  return {
    reason: 'InvalidPublicIP',
    message: `this node would announce ${formatIp(ip)}, which is ${fault}: no peer can send to it`,
    cure:
      publicIpOverwrite === undefined
        ? `Correct --public-${suffix}, the annotation node-public-${suffix} or --iface`
        : `Correct or remove the annotation public-${suffix}-overwrite`,
  };
}

function nothingMatches({ family, options, interfaces }: ChoiceInput): NodeProblem {
  const asked = [
    ...options.interfaces.map((text) => `--iface=${text}`),
    ...options.patterns.map((pattern) => `--iface-regex=${pattern.source}`),
    ...(options.canReach === undefined ? [] : [`--iface-can-reach=${formatIp(options.canReach)}`]),
  ].join(' ');
  return {
    reason: 'NoInterface',
    message: `no interface with a usable IPv${family} address matches ${asked}; there are ${listInterfaces(family, interfaces)}`,
    cure: 'Correct the flag, or give the interface its address',
  };
}

function noDefaultRoute({ family, interfaces }: ChoiceInput): NodeProblem {
  return {
    reason: 'NoInterface',
    message: `there is no IPv${family} default route to choose the interface by; there are ${listInterfaces(family, interfaces)}`,
    cure: `Name the interface that reaches the other nodes with --iface`,
  };
}

function listInterfaces(family: IpFamily, interfaces: readonly InterfaceFacts[]): string {
  const shown = interfaces
    .filter((facts) => !facts.loopback && !isPodSide(facts))
    .map((facts) => {
      const ips = usableAddresses(family, facts).map(({ address }) => formatIp(address.ip));
      return `${facts.name} (${ips.length === 0 ? `no IPv${family} address` : ips.join(', ')})`;
    });
  return shown.length === 0 ? 'none' : shown.join(', ');
}

function noMtu(facts: InterfaceFacts): NodeProblem {
  return {
    reason: 'NoMTU',
    message: `interface ${facts.name} has no MTU`,
    cure: `Give it one (ip link set ${facts.name} mtu 1500), or choose another interface with --iface`,
  };
}
