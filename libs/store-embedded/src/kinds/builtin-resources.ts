import type { ResourceDefinition } from '../resource.ts';
import { createBuiltinSchemas } from './builtin-schema.ts';
import { defineCustomResourceDefinitions } from './custom-resource-definition.ts';
import { defineEndpointSlices } from './endpoint-slice.ts';
import { defineNamespaces } from './namespace.ts';
import { defineNetworkPolicies } from './network-policy.ts';
import { defineNodes } from './node.ts';
import { definePlainKinds } from './plain-kinds.ts';
import { definePods } from './pod.ts';
import { defineServices } from './service.ts';

/** The kinds that are always served. */
export function createBuiltinResources(now: () => Date): readonly ResourceDefinition[] {
  const schema = createBuiltinSchemas();
  return [
    defineNodes(schema),
    defineNamespaces(schema),
    definePods(schema),
    defineServices(schema),
    defineEndpointSlices(schema),
    defineNetworkPolicies(schema),
    ...definePlainKinds(schema),
    defineCustomResourceDefinitions(schema, now),
  ];
}
