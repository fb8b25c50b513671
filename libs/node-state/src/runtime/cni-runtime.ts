/**
 * The runtime's side of CNI, as libcni 1.3 and containerd do it: plugins of a list in order, the result handed on, cached
 * and given to CHECK and DEL, DEL in reverse. For the lab and for tests, which must drive plugins as clusters do.
 */
import { accessSync, constants } from 'node:fs';
import {
  type ConfList,
  type ConfListPlugin,
  type ContainerId,
  type JsonObject,
  LATEST_SPEC_VERSION,
  type NetworkName,
  parseResult,
  pluginConfig,
  type PluginCall,
  type PluginType,
  resultToJson,
  type SpecVersion,
  specVersionAtLeast,
  type ValidAttachment,
} from '@canal/cni-spec';
import { type InterfaceName } from 'net-types';
import { type CachedAttachment, type CniCache } from '../cni-cache.ts';
import { CniPluginError, parseOutput } from './plugin-error.ts';
import { type PluginExec } from './plugin-exec.ts';

export interface CniRuntimeOptions {
  /** Directories to look for plugins in, first match wins. */
  readonly binDirs: readonly string[];
  readonly cache: CniCache;
  readonly exec: PluginExec;
}

export interface ContainerCall {
  readonly containerId: ContainerId;
  readonly containerInterface: InterfaceName;
  /** Empty once the namespace is closed (DEL). */
  readonly netns: string;
  /** CNI_ARGS in order. */
  readonly args?: readonly (readonly [string, string])[];
  readonly capabilityArgs?: JsonObject;
  readonly signal?: AbortSignal;
}

/** Each verb throws CniPluginError when a plugin fails. */
export interface CniRuntime {
  /** The final result. A failed ADD is to be followed by del(), as containerd does. */
  add(list: ConfList, call: ContainerCall): Promise<JsonObject>;
  check(list: ConfList, call: ContainerCall): Promise<void>;
  del(list: ConfList, call: ContainerCall): Promise<void>;
  /** DEL for cached attachments that are not valid any more, then GC of each plugin; all errors are thrown together. */
  gc(list: ConfList, valid: readonly ValidAttachment[]): Promise<void>;
  status(list: ConfList): Promise<void>;
  version(type: PluginType): Promise<JsonObject>;
}

type Variables = Readonly<Record<string, string>>;

export function createCniRuntime(options: CniRuntimeOptions): CniRuntime {
  const { cache } = options;
  const call = (
    command: string,
    list: ConfList,
    plugin: ConfListPlugin,
    extra: PluginCall,
    container?: ContainerCall,
  ) =>
    runPlugin(options, command, plugin.type, {
      env: container === undefined ? {} : variablesOf(container),
      stdin: JSON.stringify(pluginConfig(list, plugin, extra)),
      signal: container?.signal,
    });

  async function add(list: ConfList, container: ContainerCall): Promise<JsonObject> {
    let prevResult: JsonObject | undefined;
    const { capabilityArgs } = container;
    for (const plugin of list.plugins) {
      const extra = { ...(prevResult && { prevResult }), ...(capabilityArgs && { capabilityArgs }) };
      const output = await call('ADD', list, plugin, extra, container);
      prevResult = parseOutput('ADD', plugin.type, output);
    }
    if (prevResult === undefined) throw new RangeError('a configuration list has at least one plugin');
    cache.write(cacheEntry(list, container, prevResult));
    return prevResult;
  }

  async function del(list: ConfList, container: ContainerCall): Promise<void> {
    const extra = callOfCached(list, cache, container);
    for (const plugin of list.plugins.toReversed()) await call('DEL', list, plugin, extra, container);
    cache.remove(list.name, container);
  }

  async function check(list: ConfList, container: ContainerCall): Promise<void> {
    requireVersion(list, 'CHECK', '0.4.0');
    if (list.disableCheck) return;
    const extra = callOfCached(list, cache, container);
    for (const plugin of list.plugins) await call('CHECK', list, plugin, extra, container);
  }

  async function gc(list: ConfList, valid: readonly ValidAttachment[]): Promise<void> {
    const steps = staleEntries(cache, list.name, valid).map((entry) => () => del(list, callOfEntry(entry)));
    if (specVersionAtLeast(list.cniVersion, '1.1.0') && !list.disableGC) {
      for (const plugin of list.plugins) {
        steps.push(async () => {
          await call('GC', list, plugin, { validAttachments: valid });
        });
      }
    }
    await runAll(steps);
  }

  async function status(list: ConfList): Promise<void> {
    if (!specVersionAtLeast(list.cniVersion, '1.1.0')) return;
    for (const plugin of list.plugins) await call('STATUS', list, plugin, {});
  }

  async function version(type: PluginType): Promise<JsonObject> {
    const stdin = JSON.stringify({ cniVersion: LATEST_SPEC_VERSION });
    return parseOutput(
      'VERSION',
      type,
      await runPlugin(options, 'VERSION', type, { env: {}, stdin, signal: undefined }),
    );
  }

  return { add, check, del, gc, status, version };
}

function requireVersion(list: ConfList, command: string, minimum: SpecVersion): void {
  if (specVersionAtLeast(list.cniVersion, minimum)) return;
  throw new RangeError(`configuration version ${list.cniVersion} does not support the ${command} command`);
}

interface PluginInput {
  readonly env: Variables;
  readonly stdin: string;
  readonly signal: AbortSignal | undefined;
}

async function runPlugin({ binDirs, exec }: CniRuntimeOptions, command: string, type: PluginType, input: PluginInput) {
  const env = { CNI_COMMAND: command, CNI_PATH: binDirs.join(':'), ...input.env };
  const output = await exec({ path: findPlugin(binDirs, type), env, stdin: input.stdin }, input.signal);
  if (output.exitCode !== 0) throw new CniPluginError(command, type, output);
  return output;
}

function findPlugin(binDirs: readonly string[], type: PluginType): string {
  const path = binDirs.map((directory) => `${directory}/${type}`).find(isExecutable);
  if (path !== undefined) return path;
  throw new RangeError(`failed to find plugin "${type}" in path [${binDirs.join(' ')}]`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function variablesOf({ containerId, containerInterface, netns, args = [] }: ContainerCall): Variables {
  return {
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: containerInterface,
    CNI_NETNS: netns,
    ...(args.length > 0 && { CNI_ARGS: args.map(([name, value]) => `${name}=${value}`).join(';') }),
  };
}

function cacheEntry(list: ConfList, container: ContainerCall, result: JsonObject): CachedAttachment {
  return {
    network: list.name,
    containerId: container.containerId,
    containerInterface: container.containerInterface,
    netns: container.netns,
    config: list.text,
    cniArgs: container.args ?? [],
    ...(container.capabilityArgs !== undefined && { capabilityArgs: container.capabilityArgs }),
    result,
  };
}

/** What CHECK and DEL get: from 0.4.0 on, the cached result in the list's version. */
function callOfCached(list: ConfList, cache: CniCache, container: ContainerCall): PluginCall {
  const result = specVersionAtLeast(list.cniVersion, '0.4.0') ? cachedResult(cache, list.name, container) : undefined;
  return {
    ...(container.capabilityArgs !== undefined && { capabilityArgs: container.capabilityArgs }),
    ...(result !== undefined && { prevResult: resultToJson(result, list.cniVersion) }),
  };
}

function cachedResult(cache: CniCache, network: NetworkName, container: ContainerCall) {
  const raw = cache.read(network, container)?.result;
  const result = raw === undefined ? undefined : parseResult(raw, 'result');
  return result?.ok === true ? result.value : undefined;
}

function staleEntries(cache: CniCache, network: NetworkName, valid: readonly ValidAttachment[]): CachedAttachment[] {
  const entries = cache.list(network) ?? [];
  return entries.filter(
    (entry) =>
      !valid.some(
        (each) => each.containerId === entry.containerId && each.containerInterface === entry.containerInterface,
      ),
  );
}

function callOfEntry(entry: CachedAttachment): ContainerCall {
  const { containerId, containerInterface, netns = '', cniArgs, capabilityArgs } = entry;
  return { containerId, containerInterface, netns, args: cniArgs, ...(capabilityArgs && { capabilityArgs }) };
}

/** Runs each step whatever the others do, then throws what failed. */
async function runAll(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('; '));
}
