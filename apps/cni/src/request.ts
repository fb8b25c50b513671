/** One call of the plugin with everything it needs: what the verbs share. */
import { type CniArgs, CNI_ERROR, type NetworkConfig } from '@canal/cni-spec';
import {
  type AttachmentKey,
  type AttachmentStore,
  createAttachmentStore,
  createNodeAddresses,
  type NodeAddresses,
  NodeStateError,
  readBootId,
  readSubnetEnv,
  type SubnetEnv,
} from '@canal/node-state';
import type { Kernel } from './kernel.ts';
import type { PluginConfig } from './plugin-config.ts';
import { PluginError } from './plugin-error.ts';

export interface PluginRequest {
  readonly kernel: Kernel;
  readonly network: NetworkConfig;
  readonly config: PluginConfig;
}

export interface ContainerRequest extends PluginRequest {
  readonly key: AttachmentKey;
}

/** ADD and CHECK. */
export interface AttachedRequest extends ContainerRequest {
  readonly netns: string;
  readonly args: CniArgs;
}

/** Longest wait for the pool's lock: below the time after which runtimes give up, so that they hear why. */
const LOCK_TIMEOUT_MS = 30_000;

export interface NodeFiles {
  readonly bootId: string;
  readonly attachments: AttachmentStore;
  readonly addresses: NodeAddresses;
}

export function openNodeFiles({ config, network }: PluginRequest): NodeFiles {
  const bootId = readBootId();
  const attachments = createAttachmentStore(config.stateDir);
  const addresses = createNodeAddresses({
    dataDir: config.dataDir,
    network: network.name,
    attachments,
    bootId,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  return { bootId, attachments, addresses };
}

/**
 * What the node agent wrote in this boot. A file of an earlier boot may name a subnet that another node has by now. All
 * of it cures itself when the agent comes up, so `code` is 11 for ADD and 50 for STATUS.
 */
export function readCurrentSubnet({ config }: PluginRequest, bootId: string, code: number): SubnetEnv {
  try {
    const env = readSubnetEnv(config.subnetFile);
    if (env.bootId === undefined || env.bootId === bootId) return env;
  } catch (error) {
    if (!(error instanceof NodeStateError)) throw error;
    const message =
      error.code === 'missing' ? 'the node agent has not given this node a subnet yet' : 'no usable subnet';
    throw new PluginError(code, message, { details: error.message, cause: error });
  }
  throw new PluginError(code, 'the node agent has not confirmed this node’s subnet since the boot', {
    details: `${config.subnetFile} was written in an earlier boot`,
  });
}

/** Code 8 unless the path is a network namespace and another one than the plugin's own. */
export function requirePodNetns(kernel: Kernel, netns: string): void {
  const identity = identityOf(kernel, netns);
  if (identity === undefined) {
    throw new PluginError(CNI_ERROR.invalidNetns, `CNI_NETNS: ${JSON.stringify(netns)} is not a network namespace`);
  }
  if (identity === kernel.netnsIdentity()) {
    throw new PluginError(CNI_ERROR.invalidNetns, `CNI_NETNS: ${JSON.stringify(netns)} is the plugin's own namespace`);
  }
}

/** Undefined for whatever is no namespace, unreadable paths included. */
export function identityOf(kernel: Kernel, netns: string): string | undefined {
  try {
    return kernel.netnsIdentity(netns);
  } catch {
    return undefined;
  }
}
