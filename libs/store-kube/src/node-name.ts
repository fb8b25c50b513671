/** The name of this node's object: given, or that of the node which this pod runs on. */
import type { NodeIdentity } from '@canal/model';
import type { Clock, Logger } from '@canal/runtime-port';
import { type KubeObject, PODS, type Store } from '@canal/store-port';

const RETRY_MS = 2_000;

export interface NodeNameDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told what is waited for, as a sentence. */
  readonly waitsFor?: (what: string) => void;
}

/** Asks until it is known. Rejects with the signal's reason when aborted. */
export async function findNodeName(identity: NodeIdentity, deps: NodeNameDeps, signal: AbortSignal): Promise<string> {
  if (identity.type === 'name') return identity.name;
  const { name, namespace } = identity;
  deps.waitsFor?.('finding out the name of this node');
  for (let told = ''; ;) {
    const problem = await deps.store.get(PODS, name, namespace).then(
      (pod) => (pod === undefined ? `there is no pod ${namespace}/${name}` : nodeNameOf(pod)),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (typeof problem !== 'string') return problem.nodeName;
    if (problem !== told) deps.log.warn({ problem }, 'the name of this node is not known yet; NODE_NAME would tell it');
    told = problem;
    deps.waitsFor?.(`the name of this node is not known yet: ${problem}`);
    await deps.clock.sleep(RETRY_MS, signal);
  }
}

function nodeNameOf(pod: KubeObject): { readonly nodeName: string } | string {
  const spec = pod['spec'];
  const named = typeof spec === 'object' && spec !== null && 'nodeName' in spec ? spec.nodeName : undefined;
  return typeof named === 'string' && named !== '' ? { nodeName: named } : 'the pod has no spec.nodeName';
}
