import { NAMESPACES } from '@canal/store-port';

import { childOf, type Json, stringMap, textOf } from '../json.ts';
import { isDnsLabel } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function defineNamespaces(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    NAMESPACES,
    { singular: 'namespace', shortNames: ['ns'] },
    {
      schema: schema('Namespace', setDefaults),
      statusSubresource: true,
      initialStatus: () => ({ phase: 'Active' }),
      fieldSelectors: ['metadata.name', 'status.phase'],
      validName: isDnsLabel,
      columns: [{ name: 'Status', value: (namespace) => textOf(childOf(namespace, 'status'), 'phase') }],
    },
  );
}

/** Every namespace can be selected by its name through this label (KEP-2161); it cannot be changed or removed. */
function setDefaults(namespace: Json): void {
  const metadata = childOf(namespace, 'metadata');
  const labels = { ...stringMap(metadata['labels']), 'kubernetes.io/metadata.name': textOf(metadata, 'name') };
  namespace['metadata'] = { ...metadata, labels };
  const spec = childOf(namespace, 'spec');
  spec['finalizers'] ??= ['kubernetes'];
  namespace['spec'] = spec;
}
