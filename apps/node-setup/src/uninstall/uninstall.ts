/** `node-setup uninstall`: finds everything of canal on this node, takes it away, looks again. */
import {
  UNINSTALL_REPORT_KIND,
  type UninstalledObject,
  type UninstalledPod,
  type UninstallOutcome,
  type UninstallReport,
} from '@canal/api-schema';
import { join } from 'node:path';
import { type NetworkName, parseNetworkName } from '@canal/cni-spec';
import type { NetworkKernel, TrafficKernel } from '@canal/kernel-port';
import type { Attachment } from '@canal/model';
import { createAttachmentStore, createSysctlRecord, readBootId } from '@canal/node-state';
import { listLinks, type NetlinkConnection } from 'netlink-ts';
import { resolveInRoot } from '../host-path.ts';
import { InstalledRecord } from '../installed-record.ts';
import { SetupError } from '../setup-error.ts';
import { cniConfPart, networksIn } from './cni-conf-part.ts';
import { addressPart, cachePart, isFlannels, programPart, statePart, subnetPart, sysctlPart } from './file-parts.ts';
import { bridgePart, networkPart, nftPart, policyPart } from './kernel-parts.ts';
import type { UninstallOptions } from './options.ts';
import { runningAgents } from './running-agent.ts';
import type { Found, Part } from './part.ts';

export interface UninstallDeps {
  readonly kernel: NetworkKernel;
  readonly trafficKernel: Pick<TrafficKernel, 'compare' | 'remove'>;
  readonly netlink: NetlinkConnection;
  /** Of NETLINK_NETFILTER. */
  readonly netfilter: NetlinkConnection;
  /** SHA-256 of the running program. */
  readonly ownSha256: () => string;
}

/** Goes on after a failure, so that as little as possible is left. Throws SetupError `pods` or `agent`, before it did anything. */
export async function uninstall(options: UninstallOptions, deps: UninstallDeps): Promise<UninstallReport> {
  const { dryRun, force } = options;
  const agents = dryRun ? [] : runningAgents(options.hostRoot);
  if (agents.length > 0) throw agentInTheWay(agents);
  const node = lookAround(options, deps.netlink);
  if (node.pods.length > 0 && !force && !dryRun) throw podsInTheWay(node.pods);
  const parts = partsOf(options, deps, node);
  const objects: UninstalledObject[] = [];
  for (const part of parts) objects.push(...(await (dryRun ? look(part) : remove(part))));
  const remaining = dryRun ? [] : await lookAgain(parts);
  return { kind: UNINSTALL_REPORT_KIND, dryRun, pods: node.pods, objects, remaining };
}

function agentInTheWay(pids: readonly number[]): SetupError {
  return new SetupError(
    'agent',
    `an agent of canal runs here (process ${pids.join(', ')}): it would make anew what is taken away`,
    'End it first: delete the DaemonSet canal-node; on a node whose kubelet is gone, ' +
      'crictl stop $(crictl ps -q --name "flanneld|policy-agent"), or kill that process',
  );
}

interface NodeFacts {
  readonly networks: readonly NetworkName[];
  readonly pods: readonly UninstalledPod[];
  readonly hasBridgedPods: boolean;
}

/** The network's name when no record and no configuration tells another: that of the shipped configuration. */
const DEFAULT_NETWORK = 'canal';

function lookAround({ hostRoot, stateDir, confDir }: UninstallOptions, netlink: NetlinkConnection): NodeFacts {
  const { attachments } = createAttachmentStore(resolveInRoot(hostRoot, stateDir)).list();
  const links = new Set(listLinks(netlink, { kind: 'veth' }).map(({ name }) => name));
  const names = [...attachments.map(({ network }) => network), DEFAULT_NETWORK].flatMap((name) => {
    const parsed = parseNetworkName(name);
    return parsed.ok ? [parsed.value] : [];
  });
  return {
    networks: [...new Set([...names, ...networksIn(resolveInRoot(hostRoot, confDir))])].sort(),
    pods: attachments.filter(({ hostInterface }) => links.has(hostInterface)).map(podOf),
    hasBridgedPods: attachments.some(({ mode }) => mode === 'bridge'),
  };
}

function podOf({ containerId, pod }: Attachment): UninstalledPod {
  return { containerId, ...(pod !== undefined && { pod: `${pod.namespace}/${pod.name}` }) };
}

function podsInTheWay(pods: readonly UninstalledPod[]): SetupError {
  const names = pods.slice(0, 10).map(({ containerId, pod }) => pod ?? containerId.slice(0, 13));
  const more = pods.length > names.length ? ` and ${pods.length - names.length} more` : '';
  return new SetupError(
    'pods',
    `${pods.length} pods of this node have their network from canal: ${names.join(', ')}${more}`,
    'Drain the node first, or take their network from them with --force; --dry-run says what would go',
  );
}

/** In the order of removal: no new pods, then the network, then files, and the records that all this is found by last. */
function partsOf(options: UninstallOptions, deps: UninstallDeps, node: NodeFacts): readonly Part[] {
  const { hostRoot } = options;
  const at = (hostPath: string): string => resolveInRoot(hostRoot, hostPath);
  const stateDir = at(options.stateDir);
  const record = createSysctlRecord({
    stateDir,
    netDir: join(hostRoot, 'proc/sys/net'),
    bootId: readBootId(join(hostRoot, 'proc/sys/kernel/random/boot_id')),
  });
  const installed = new InstalledRecord(stateDir);
  const programs = programPart({
    directories: [...new Set([options.binDir, ...installed.directories()].map(at))],
    hostRoot,
    record: installed,
    ownSha256: deps.ownSha256,
  });
  return [
    cniConfPart(hostRoot, at(options.confDir), options.confName),
    subnetPart(hostRoot, at(options.subnetFile)),
    networkPart(deps.kernel, () => isFlannels(at(options.subnetFile))),
    bridgePart(deps.netlink, node.hasBridgedPods),
    nftPart(deps.trafficKernel),
    // After the pods' links: at no moment is a pod open.
    policyPart(deps.netfilter),
    programs,
    addressPart(hostRoot, at(options.dataDir), node.networks),
    cachePart(at(options.cacheDir), node.networks),
    sysctlPart(record),
    statePart(hostRoot, at('/run/canal')),
    statePart(hostRoot, stateDir, programs),
  ];
}

async function look(part: Part): Promise<UninstalledObject[]> {
  return await reporting(part, (found) => Promise.resolve(reported(found, pending(found))));
}

function pending({ act, restores }: Found): UninstallOutcome {
  if (act === undefined) return 'left';
  return restores === true ? 'would-restore' : 'would-remove';
}

async function remove(part: Part): Promise<UninstalledObject[]> {
  return await reporting(part, async (found) => {
    if (found.act === undefined) return reported(found, 'left');
    await found.act();
    return reported(found, found.restores === true ? 'restored' : 'removed');
  });
}

async function reporting(
  part: Part,
  handle: (found: Found) => Promise<UninstalledObject>,
): Promise<UninstalledObject[]> {
  let all: readonly Found[];
  try {
    all = await part.find();
  } catch (error) {
    return [{ kind: part.kind, name: 'cannot be looked at', outcome: 'failed', note: textOf(error) }];
  }
  const objects: UninstalledObject[] = [];
  for (const found of all) {
    try {
      objects.push(await handle(found));
    } catch (error) {
      objects.push({ kind: found.kind, name: found.name, outcome: 'failed', note: textOf(error) });
    }
  }
  return objects;
}

function reported({ kind, name, note }: Found, outcome: UninstallOutcome): UninstalledObject {
  return { kind, name, outcome, ...(note !== undefined && { note }) };
}

async function lookAgain(parts: readonly Part[]): Promise<string[]> {
  const lists = await Promise.all(parts.map(look));
  return lists.flat().flatMap(({ kind, name, outcome }) => (outcome === 'left' ? [] : [`${kind} ${name}`]));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
