/** One call of a plugin, from environment and stdin to what goes to stdout. Synchronous from start to end. */
import {
  CANAL_ERROR,
  CNI_ERROR,
  type CniEnvironment,
  type CniFailure,
  failure,
  formatFailure,
  formatVersionAnswer,
  LATEST_SPEC_VERSION,
  type NetworkConfig,
  parseEnvironment,
  parseNetworkConfig,
  type SpecVersion,
  versionOfInput,
} from '@canal/cni-spec';
import { NodeStateError } from '@canal/node-state';
import { isRetriable } from 'netlink-ts';
import { PluginError } from './plugin-error.ts';
import type { PluginAnswer, PluginInput } from './plugin-input.ts';

/** What the verb prints; not called for VERSION. Throws what went wrong. */
export type RunVerb = (environment: CniEnvironment, network: NetworkConfig) => string;

/** Never throws: what goes wrong is an answer. */
export function answer(input: PluginInput, runVerb: RunVerb): PluginAnswer {
  let version: SpecVersion = LATEST_SPEC_VERSION;
  try {
    const environment = parseEnvironment(input.variables);
    if (!environment.ok) return failed(version, environment.error);
    if (environment.value.command === 'VERSION') return succeeded(formatVersionAnswer());
    const text = readStdin(input);
    version = versionOfInput(text) ?? version;
    const network = parseNetworkConfig(text, environment.value.command);
    if (!network.ok) return failed(version, network.error);
    return succeeded(runVerb(environment.value, network.value));
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
