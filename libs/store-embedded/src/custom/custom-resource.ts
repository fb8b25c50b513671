import { childOf, isJson, type Json, textOf } from '../json.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import type { TableColumn } from '../table.ts';
import { itemsOf } from '../value-rules.ts';
import { schemaErrors } from './schema-values.ts';
import { applyDefaults, unknownFields } from './structural-schema.ts';

/** The resources that a stored CustomResourceDefinition serves: one for each served version, all over the same objects. */
export function customResources(definition: Json): readonly ResourceDefinition[] {
  const spec = childOf(definition, 'spec');
  const versions = itemsOf(spec['versions']).filter(isJson);
  const storage = versions.find((version) => version['storage'] === true);
  if (storage === undefined) return [];
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => defineVersion(spec, version, storage));
}

function defineVersion(spec: Json, version: Json, storage: Json): ResourceDefinition {
  const names = childOf(spec, 'names');
  const group = textOf(spec, 'group');
  const schema = childOf(childOf(version, 'schema'), 'openAPIV3Schema');
  const type = {
    group,
    version: textOf(version, 'name'),
    plural: textOf(names, 'plural'),
    kind: textOf(names, 'kind'),
    namespaced: spec['scope'] === 'Namespaced',
  };
  const selectable = itemsOf(version['selectableFields']).map((field) => textOf(field, 'jsonPath').replace(/^\./, ''));
  return defineResource(
    type,
    {
      singular: textOf(names, 'singular'),
      shortNames: itemsOf(names['shortNames']).map(String),
      categories: itemsOf(names['categories']).map(String),
    },
    {
      storageApiVersion: `${group}/${textOf(storage, 'name')}`,
      schema: {
        check: (object) => ({ unknown: unknownFields(object, schema), mistyped: [] }),
        setDefaults: (object) => {
          applyDefaults(object, schema);
        },
        published: () => ({ [type.kind]: schema }),
      },
      validate: (object) => {
        // Judged by the metadata rules of every kind.
        const { apiVersion: _, kind: __, metadata: ___, ...rest } = object;
        return schemaErrors(rest, withoutObjectFields(schema), '');
      },
      statusSubresource: isJson(childOf(version, 'subresources')['status']),
      statusWritesMetadata: false,
      unconditionalUpdate: false,
      hasGeneration: true,
      fieldSelectors: ['metadata.name', ...(type.namespaced ? ['metadata.namespace'] : []), ...selectable],
      columns: itemsOf(version['additionalPrinterColumns']).map(printerColumn),
    },
  );
}

function withoutObjectFields(schema: Json): Json {
  const { apiVersion: _, kind: __, metadata: ___, ...properties } = childOf(schema, 'properties');
  const required = itemsOf(schema['required']).filter(
    (name) => !['apiVersion', 'kind', 'metadata'].includes(String(name)),
  );
  return { ...schema, properties, required };
}

function printerColumn(column: unknown): TableColumn {
  const path = textOf(column, 'jsonPath').replace(/^\./, '').split('.');
  return {
    name: textOf(column, 'name'),
    value: (object) => {
      let value: unknown = object;
      for (const name of path) value = isJson(value) ? value[name] : undefined;
      if (value === undefined || value === null) return '';
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
  };
}
