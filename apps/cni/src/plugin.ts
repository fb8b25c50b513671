/** The verbs of the CNI plugin, each with exactly what it needs. */
import { CNI_ERROR, type CniEnvironment, formatVersionAnswer, type NetworkConfig } from '@canal/cni-spec';
import type { AttachmentKey } from '@canal/node-state';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import type { Kernel } from './kernel.ts';
import { answer } from './plugin-answer.ts';
import { parseCleanUpConfig, parsePluginConfig } from './plugin-config.ts';
import { PluginError } from './plugin-error.ts';
import type { PluginAnswer, PluginInput } from './plugin-input.ts';
import type { AttachedRequest } from './request.ts';
import { status } from './status.ts';

/** Never throws: what goes wrong is an answer. */
export function runPlugin(input: PluginInput): PluginAnswer {
  return answer(input, (environment, network) => runVerb(input.kernel, environment, network));
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
