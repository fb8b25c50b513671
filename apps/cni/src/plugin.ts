/** One call of the plugin, from environment and stdin to what goes to stdout. Synchronous from start to end. */
import {
  type CniEnvironment,
  CANAL_ERROR,
  CNI_ERROR,
  failure,
  type CniFailure,
  formatFailure,
  formatVersionAnswer,
  LATEST_SPEC_VERSION,
  type NetworkConfig,
  parseEnvironment,
  parseNetworkConfig,
  type SpecVersion,
  versionOfInput,
} from '@canal/cni-spec';
import { type AttachmentKey, NodeStateError } from '@canal/node-state';
import { isRetriable } from 'netlink-ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import type { Kernel } from './kernel.ts';
import { parseCleanUpConfig, parsePluginConfig } from './plugin-config.ts';
import { PluginError } from './plugin-error.ts';
import type { AttachedRequest } from './request.ts';
import { status } from './status.ts';

export interface PluginInput {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Called only by verbs that have a configuration. */
  readonly readStdin: () => string;
  readonly kernel: Kernel;
}

export interface PluginAnswer {
  readonly exitCode: number;
  readonly stdout: string;
}

/** Never throws: what goes wrong is an answer. */
export function runPlugin(input: PluginInput): PluginAnswer {
  let version: SpecVersion = LATEST_SPEC_VERSION;
  try {
    const environment = parseEnvironment(input.variables);
    if (!environment.ok) return failed(version, environment.error);
    if (environment.value.command === 'VERSION') return succeeded(formatVersionAnswer());
    const text = readStdin(input);
    version = versionOfInput(text) ?? version;
    const network = parseNetworkConfig(text, environment.value.command);
    if (!network.ok) return failed(version, network.error);
    return succeeded(runVerb(input.kernel, environment.value, network.value));
  } catch (error) {
    return failed(version, failureOf(error));
  }
}

function readStdin({ readStdin }: PluginInput): string {
  try {
    return readStdin();
  } catch (error) {
    throw new PluginError(CNI_ERROR.ioFailure, 'cannot read the network configuration from stdin', {
      details: messageOf(error),
      cause: error,
    });
  }
}

/** What the verb prints. */
function runVerb(kernel: Kernel, environment: CniEnvironment, network: NetworkConfig): string {
  const isCleanUp = environment.command === 'DEL' || environment.command === 'GC';
  const config = isCleanUp ? parseCleanUpConfig(network) : parsePluginConfig(network);
  const request = { kernel, network, config };
  const attached = (called: CniEnvironment & { command: 'ADD' | 'CHECK' }): AttachedRequest => {
    return { ...request, key: keyOf(called), netns: called.netns, args: called.args };
  };
  switch (environment.command) {
    case 'ADD':
      return add(attached(environment));
    case 'CHECK':
      // The parser has refused a CHECK without it.
      if (network.prevResult === undefined) throw new PluginError(CNI_ERROR.invalidConfig, 'prevResult: missing');
      check(attached(environment), network.prevResult);
      return '';
    case 'DEL':
      del({
        ...request,
        key: keyOf(environment),
        ...(environment.netns !== undefined && { netns: environment.netns }),
      });
      return '';
    case 'GC':
      gc(request);
      return '';
    case 'STATUS':
      status(request);
      return '';
    case 'VERSION':
      return formatVersionAnswer();
  }
}

function keyOf({ containerId, containerInterface }: AttachmentKey): AttachmentKey {
  return { containerId, containerInterface };
}

function succeeded(stdout: string): PluginAnswer {
  return { exitCode: 0, stdout };
}

function failed(version: SpecVersion, error: CniFailure): PluginAnswer {
  return { exitCode: 1, stdout: formatFailure(version, error) };
}

function failureOf(error: unknown): CniFailure {
  if (error instanceof PluginError) return error.failure;
  if (error instanceof NodeStateError) {
    const code = error.code === 'locked' ? CNI_ERROR.tryAgainLater : CNI_ERROR.ioFailure;
    return failure(code, error.message);
  }
  if (isRetriable(error)) return failure(CNI_ERROR.tryAgainLater, messageOf(error));
  if (error instanceof Error && (error.name === 'NetlinkError' || error.name === 'LinuxError')) {
    return failure(CANAL_ERROR.kernelRefused, error.message);
  }
  return failure(CNI_ERROR.internal, messageOf(error), error instanceof Error ? error.stack : undefined);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
