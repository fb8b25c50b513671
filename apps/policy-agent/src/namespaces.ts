import { parsePolicyNamespace } from '@canal/api-schema';
import type { PolicyNamespace } from '@canal/model';
import type { PolicyEngine } from '@canal/policy-compile';
import { NAMESPACES } from '@canal/store-port';
import type { StreamConsumer } from './cluster-watch.ts';

/** Namespaces into the engine. One that cannot be read has no labels: no selector that asks for some finds it. */
export function namespaceConsumer(
  engine: Pick<PolicyEngine, 'putNamespace' | 'deleteNamespace'>,
): StreamConsumer<PolicyNamespace> {
  return {
    type: NAMESPACES,
    parse: parsePolicyNamespace,
    put: (namespace) => engine.putNamespace(namespace),
    refuse: (key) => engine.deleteNamespace(key),
    delete: (key) => engine.deleteNamespace(key),
  };
}
