/** `flanneld cleanup` over the real kernel, files and, when asked for, the API server. */
import { writeSync } from 'node:fs';
import {
  type AnnotationKeys,
  CANALS_ANNOTATIONS,
  changedAnnotations,
  parseNode,
  renderWithdrawnAnnotations,
} from '@canal/api-schema';
import type { CleanupOptions } from '@canal/config';
import { createLinuxKernel, createNftTrafficKernel } from '@canal/kernel-linux';
import type { NodeIdentity } from '@canal/model';
import { connectStore, findNodeName } from '@canal/store-kube';
import { NODES, type Store } from '@canal/store-port';
import { createJsonLogger, createSystemClock, writeStderr } from '@canal/telemetry';
import { cleanup } from './cleanup.ts';
import { SubnetFile } from './subnet-file.ts';

/** How long the API server may keep a node from being cleaned up. */
const API_DEADLINE_MS = 15_000;

/** Gives the number of failures. */
export async function runCleanup(options: CleanupOptions, keys: AnnotationKeys): Promise<number> {
  const kernel = createLinuxKernel();
  const trafficKernel = createNftTrafficKernel();
  const { node, dryRun } = options;
  try {
    return await cleanup(
      {
        kernel,
        trafficKernel,
        subnetFile: new SubnetFile(options.subnetFile),
        ...(node !== undefined && { annotations: { remove: (dry: boolean) => withdraw(options, node, keys, dry) } }),
        print: (line) => writeSync(1, `${line}\n`),
      },
      dryRun,
    );
  } finally {
    kernel.close();
    trafficKernel.close();
  }
}

async function withdraw(
  options: CleanupOptions,
  identity: NodeIdentity,
  keys: AnnotationKeys,
  dryRun: boolean,
): Promise<readonly string[]> {
  const clock = createSystemClock();
  const log = createJsonLogger({ level: 'info', write: writeStderr, timeMs: () => Date.now() });
  const signal = AbortSignal.timeout(API_DEADLINE_MS);
  const { store } = await connectStore(options, clock);
  const name = await findNodeName(identity, { store, clock, log }, signal);
  return await withdrawAnnotations(store, name, keys, dryRun);
}

/** Removes the annotations that the agent writes; those that people set stay. Gives the names that were there. */
async function withdrawAnnotations(
  store: Store,
  nodeName: string,
  keys: AnnotationKeys,
  dryRun: boolean,
): Promise<readonly string[]> {
  const object = await store.get(NODES, nodeName);
  if (object === undefined) return [];
  const node = parseNode(object, new Set<string>([...Object.values<string>({ ...keys }), ...CANALS_ANNOTATIONS]));
  if (!node.ok) throw new Error(node.error);
  const patch = changedAnnotations(renderWithdrawnAnnotations(keys), node.value.annotations);
  const names = Object.keys(patch);
  if (!dryRun && names.length > 0) {
    await store.mergePatch(NODES, nodeName, { metadata: { annotations: patch } }, { subresource: 'status' });
  }
  return names.map((key) => `annotation ${key} of node ${nodeName}`);
}
