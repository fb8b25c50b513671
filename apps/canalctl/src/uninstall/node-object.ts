/** What an uninstall changes in a Node object: our annotations go, NetworkUnavailable becomes True if it was ours. */
import { annotationKeys, renderWithdrawnAnnotations } from '@canal/api-schema';
import { type KubeObject, NODES, type Store, StoreError } from '@canal/store-port';
import { isJsonObject } from '../objects/json-object.ts';

/** The kubelet writes the same list of conditions. */
const ATTEMPTS = 5;

/** Gives what it changed, for people. */
export async function releaseNode(
  store: Store,
  name: string,
  prefix: string,
  now: () => Date,
): Promise<readonly string[]> {
  for (let attempt = 1; ; attempt++) {
    const node = await store.get(NODES, name);
    if (node === undefined) return [];
    try {
      return await change(store, node, prefix, now());
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}

async function change(store: Store, node: KubeObject, prefix: string, now: Date): Promise<readonly string[]> {
  const { name, resourceVersion, annotations = {} } = node.metadata;
  const keys = annotationKeys(prefix);
  const withdrawn = keys.ok ? renderWithdrawnAnnotations(keys.value) : {};
  const gone = Object.keys(withdrawn).filter((key) => annotations[key] !== undefined);
  const conditions = conditionsWithoutNetwork(node, now);
  if (gone.length === 0 && conditions === undefined) return [];
  const patch = {
    metadata: { resourceVersion, annotations: Object.fromEntries(gone.map((key) => [key, null])) },
    ...(conditions !== undefined && { status: { conditions } }),
  };
  await store.mergePatch(NODES, name, patch, { subresource: 'status' });
  return [...gone.map((key) => `annotation ${key}`), ...(conditions === undefined ? [] : ['NetworkUnavailable=True'])];
}

/** Undefined unless the present condition is the agent's own: one of another CNI, or none, is not canal's to change. */
function conditionsWithoutNetwork({ status }: KubeObject, now: Date): readonly unknown[] | undefined {
  const list: unknown = isJsonObject(status) ? status['conditions'] : undefined;
  const conditions = (Array.isArray(list) ? (list as unknown[]) : []).filter(isJsonObject);
  const present = conditions.find(({ type }) => type === 'NetworkUnavailable');
  if (present?.['reason'] !== AGENT_REASON) return undefined;
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = {
    type: 'NetworkUnavailable',
    status: 'True',
    reason: 'CanalUninstalled',
    message: 'canal was uninstalled; the next CNI sets this to False',
    lastTransitionTime: time,
    lastHeartbeatTime: time,
  };
  return [...conditions.filter((other) => other !== present), condition];
}

/** What the node agent says, as flannel does. */
const AGENT_REASON = 'FlannelIsUp';
