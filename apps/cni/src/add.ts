/** ADD: reserve addresses, wire the pod, have it policed, say what it got. A step that fails takes the earlier ones back. */
import { CNI_ERROR, formatResult, podOfCniArgs } from '@canal/cni-spec';
import { type AllocationPlan, type AllocationProblem, describeAllocationProblem } from '@canal/ipam';
import type { Attachment } from '@canal/model';
import { type NodeAddresses, type ReservedAddresses, type SubnetEnv } from '@canal/node-state';
import { findLink, type NetlinkConnection } from 'netlink-ts';
import { familyBits, formatInterfaceAddress, type InterfaceAddress, type Ip, ipFamily } from 'net-types';
import { addedResult } from './added-result.ts';
import { type NodeSubnet, nodeSubnetOf } from './node-subnet.ts';
import { PluginError } from './plugin-error.ts';
import { bridgeMac, podIdentity } from './pod-identity.ts';
import { admitEndpoint, forgetEndpoints } from './policy-agent.ts';
import { requestedIps, requestedMac } from './pod-request.ts';
import { type AttachedRequest, identityOf, openNodeFiles, readCurrentSubnet, requirePodNetns } from './request.ts';
import { planBridge, planRouted, ROUTED_GATEWAY, type WiringPlan } from './wiring-plan.ts';
import { wirePod } from './wiring.ts';

/** The text for stdout. */
export function add(request: AttachedRequest): string {
  const { kernel, key, network } = request;
  requirePodNetns(kernel, request.netns);
  const { addresses, bootId } = openNodeFiles(request);
  const env = readCurrentSubnet(request, bootId, CNI_ERROR.tryAgainLater);
  const subnet = nodeSubnetOf(env, CNI_ERROR.tryAgainLater);
  const record = recordTemplate(request, env);
  using host = kernel.openNetlink();
  const reserved = addresses.reserve(key, {
    rangeSets: subnet.rangeSets,
    requested: requestedIps(request),
    recordOf: (plan) => ({ ...record, ...addressing(request, plan), bootId }),
    isGone: (other) => isGone(request, host, other),
  });
  if (!reserved.ok) throw allocationError(reserved.error);
  const plan = planWiring(request, subnet, reserved.value.attachment);
  try {
    const isFirstAdd = reserved.value.previous === undefined;
    // The record is written: an agent that starts in between learns of the pod by it, or is told.
    const admit = (): void => admitEndpoint(request, plan.attachment);
    const bridge = wirePod(kernel, { host, isFirstAdd, admit }, plan);
    return formatResult(addedResult(network, plan, bridge), network.cniVersion);
  } catch (error) {
    takeBack(request, host, addresses, reserved.value);
    throw error;
  }
}

type Addressing = Pick<Attachment, 'addresses' | 'gateways'>;

/** What of the record is known before an address is. Throws for requests that cannot be served. */
function recordTemplate(request: AttachedRequest, env: SubnetEnv): Omit<Attachment, keyof Addressing | 'bootId'> {
  const { network, config, key, netns, args } = request;
  const identity = podIdentity(network.name, key.containerId, key.containerInterface);
  const mtuBytes = config.mtuBytes ?? env.mtuBytes;
  // The kernel takes IPv6 off a device below that (RFC 8200 §5), which would show as a puzzling refusal later.
  if (env.ipv6 !== undefined && mtuBytes < IPV6_MTU_MIN) {
    throw new PluginError(CNI_ERROR.invalidConfig, `mtu: ${mtuBytes}: IPv6 needs at least ${IPV6_MTU_MIN} bytes`);
  }
  const pod = podOfCniArgs(args);
  return {
    network: network.name,
    containerId: key.containerId,
    containerInterface: key.containerInterface,
    netns,
    mode: config.mode,
    hostInterface: identity.hostInterface,
    hostMac: identity.hostMac,
    containerMac: requestedMac(request) ?? identity.containerMac,
    mtuBytes,
    ...(pod !== undefined && { pod }),
  };
}

const IPV6_MTU_MIN = 1280;

function addressing({ config }: AttachedRequest, { grants }: AllocationPlan): Addressing {
  if (config.mode === 'routed') {
    return {
      addresses: grants.map(({ ip }) => ({ ip, prefixLen: familyBits(ipFamily(ip)) })),
      gateways: grants.map(({ ip }) => ROUTED_GATEWAY[ipFamily(ip)]),
    };
  }
  return {
    addresses: grants.map(({ ip, range }) => ({ ip, prefixLen: range.subnet.prefixLen })),
    gateways: config.isGateway ? grants.map(({ range }): Ip => range.gateway) : [],
  };
}

function planWiring({ config }: AttachedRequest, subnet: NodeSubnet, attachment: Attachment): WiringPlan {
  if (config.mode === 'routed') return planRouted(attachment);
  const addresses: readonly InterfaceAddress[] = config.isGateway ? subnet.gateways : [];
  const mac = bridgeMac(config.bridge, subnet.gateways.map(formatInterfaceAddress).join(','));
  const bridge = {
    name: config.bridge,
    mac,
    addresses,
    hairpin: config.hairpinMode,
    isolated: config.policySocket !== undefined,
  };
  const { isDefaultGateway } = config;
  return planBridge(attachment, bridge, { isDefaultGateway, clusterNetworks: subnet.clusterNetworks });
}

/** Gone for good: neither its namespace nor the link that lives as long as that. */
function isGone({ kernel }: AttachedRequest, host: NetlinkConnection, record: Attachment): boolean {
  const isNamespaceGone = identityOf(kernel, record.netns) === undefined;
  return isNamespaceGone && findLink(host, { name: record.hostInterface }) === undefined;
}

/**
 * Never frees an address while a link may still carry it: then record and reservation stay for the DEL that follows. An
 * earlier ADD of the same container keeps what it had in any case.
 */
function takeBack(
  request: AttachedRequest,
  host: NetlinkConnection,
  addresses: NodeAddresses,
  reserved: ReservedAddresses,
): void {
  try {
    const { attachment, previous } = reserved;
    const isUnwired = findLink(host, { name: attachment.hostInterface }) === undefined;
    // It may have been told, and its answer have got lost.
    if (isUnwired) forgetEndpoints(request, [request.key]);
    if (isUnwired || previous !== undefined) addresses.undo(request.key, reserved);
  } catch {
    // The error that led here is the one to report; DEL cleans by the record.
  }
}

function allocationError(problem: AllocationProblem): PluginError {
  const passing = problem.kind === 'exhausted' || problem.kind === 'held-by-another';
  const code = passing ? CNI_ERROR.tryAgainLater : CNI_ERROR.invalidConfig;
  return new PluginError(code, describeAllocationProblem(problem));
}
