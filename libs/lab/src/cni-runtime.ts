/**
 * A node's container runtime: what containerd adds to the protocol that libs/node-state drives as libcni does. The first
 * list of the configuration directory, the variables of a pod, and a DEL at once after an ADD that failed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CniResult, type ConfList, parseConfList, parseContainerId, parseResult } from '@canal/cni-spec';
import { createCniCache } from '@canal/node-state';
import {
  CniPluginError,
  type ContainerCall,
  createCniRuntime as createLibcni,
  type PluginExec,
} from '@canal/node-state/runtime';
import { parseInterfaceName, unwrap } from 'net-types';
import { type NodePaths } from './lab-paths.ts';
import { LabError } from './lab-error.ts';
import { inNamespace } from './namespaces.ts';
import { labEnvironment } from './processes.ts';

/** What the runtime knows of a pod's sandbox. */
export interface Sandbox {
  readonly containerId: string;
  /** Path of the network namespace; undefined once it is gone, as for a DEL after a reboot. */
  readonly netns: string | undefined;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
}

export interface CniRuntimeDeps {
  readonly labId: string;
  /** Namespace of the node: where containerd, and so the plugin, runs. */
  readonly nodeNamespace: string;
  readonly paths: Pick<NodePaths, 'cniConfDir' | 'cniBinDir' | 'cniCacheDir'>;
}

/** Each verb throws LabError `failed` with the plugin's own words. */
export interface CniRuntime {
  /** The final result. A failed ADD has been followed by a DEL. */
  add(sandbox: Sandbox, signal?: AbortSignal): Promise<CniResult>;
  del(sandbox: Sandbox, signal?: AbortSignal): Promise<void>;
  check(sandbox: Sandbox, signal?: AbortSignal): Promise<void>;
  status(signal?: AbortSignal): Promise<void>;
}

/** The name that containerd gives a pod's first interface. */
export const POD_INTERFACE = unwrap(parseInterfaceName('eth0'));

/** CRI's own limit is minutes; a plugin that needs this long hangs. */
const PLUGIN_TIMEOUT_MS = 30_000;

export function createCniRuntime(deps: CniRuntimeDeps): CniRuntime {
  const { cniBinDir, cniCacheDir, cniConfDir } = deps.paths;
  const libcni = createLibcni({
    binDirs: [cniBinDir],
    cache: createCniCache(cniCacheDir),
    exec: execOnNode(deps),
  });
  const list = (): ConfList => readList(cniConfDir);
  return {
    add: async (sandbox, signal) => {
      try {
        const output = await asLabError(() => libcni.add(list(), callOf(sandbox, signal)));
        const parsed = parseResult(output, 'result');
        if (parsed.ok) return parsed.value;
        throw new LabError('failed', `the CNI plugin's result cannot be read: ${parsed.error}`);
      } catch (error) {
        // As containerd does; what the failed ADD says matters more than what this DEL may say.
        await libcni.del(list(), callOf(sandbox)).catch(() => undefined);
        throw error;
      }
    },
    del: (sandbox, signal) => asLabError(() => libcni.del(list(), callOf(sandbox, signal))),
    check: (sandbox, signal) => asLabError(() => libcni.check(list(), callOf(sandbox, signal))),
    status: () => asLabError(() => libcni.status(list())),
  };
}

function readList(confDir: string): ConfList {
  const [first] = readdirSync(confDir)
    .filter((name) => name.endsWith('.conflist'))
    .sort();
  if (first === undefined) throw new LabError('failed', `${confDir} holds no CNI configuration list`);
  const list = parseConfList(readFileSync(join(confDir, first), 'utf8'));
  if (list.ok) return list.value;
  throw new LabError('failed', `${join(confDir, first)}: ${list.error.message}`);
}

/** What containerd passes on of a pod. */
function callOf({ containerId, netns, pod }: Sandbox, signal?: AbortSignal): ContainerCall {
  const id = parseContainerId(containerId);
  if (!id.ok) throw new LabError('failed', `${containerId} is no container id`);
  return {
    containerId: id.value,
    containerInterface: POD_INTERFACE,
    netns: netns ?? '',
    args: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAMESPACE', pod.namespace],
      ['K8S_POD_NAME', pod.name],
      ['K8S_POD_INFRA_CONTAINER_ID', containerId],
      ['K8S_POD_UID', pod.uid],
    ],
    ...(signal !== undefined && { signal }),
  };
}

/** Plugins run in the node's namespace and in an environment that nothing of the caller's own reaches. */
function execOnNode({ labId, nodeNamespace }: CniRuntimeDeps): PluginExec {
  return async ({ path, env, stdin }, signal) => {
    const child = inNamespace(nodeNamespace, () =>
      Bun.spawn([path], {
        cwd: '/',
        env: labEnvironment(labId, 'cni', env),
        stdin: Buffer.from(stdin),
        stdout: 'pipe',
        stderr: 'pipe',
        timeout: PLUGIN_TIMEOUT_MS,
        killSignal: 'SIGKILL',
        ...(signal !== undefined && { signal }),
      }),
    );
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    signal?.throwIfAborted();
    return { exitCode: child.exitCode, stdout, stderr };
  };
}

async function asLabError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CniPluginError)) throw error;
    const code = error.pluginCode === undefined ? '' : ` (code ${error.pluginCode})`;
    const details = error.details === undefined || error.details === '' ? '' : `: ${error.details}`;
    throw new LabError('failed', `CNI ${error.message}${code}${details}`, { cause: error });
  }
}
