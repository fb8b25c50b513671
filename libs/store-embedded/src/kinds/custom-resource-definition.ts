import { CUSTOM_RESOURCE_DEFINITIONS } from '@canal/store-port';

import type { StatusCause } from '../api-error.ts';
import { structuralErrors } from '../custom/schema-rules.ts';
import { childOf, isJson, type Json, stringMap, textOf } from '../json.ts';
import { isDnsLabel, isDnsSubdomain } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  duplicates,
  forEachItem,
  invalidValue,
  itemsOf,
  notSupported,
  oneOf,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function defineCustomResourceDefinitions(schema: SchemaMaker, now: () => Date): ResourceDefinition {
  return defineResource(
    CUSTOM_RESOURCE_DEFINITIONS,
    { singular: 'customresourcedefinition', shortNames: ['crd', 'crds'] },
    {
      schema: schema('CustomResourceDefinition', setDefaults),
      statusSubresource: true,
      statusWritesMetadata: false,
      unconditionalUpdate: false,
      initialStatus: () => ({ conditions: acceptedConditions(now()) }),
      hasGeneration: true,
      fieldSelectors: ['metadata.name'],
      validate,
      columns: [],
    },
  );
}

/** Names are accepted at once: what could clash with them is refused before. */
function acceptedConditions(now: Date): readonly object[] {
  const lastTransitionTime = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return [
    { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found', lastTransitionTime },
    {
      type: 'Established',
      status: 'True',
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
      lastTransitionTime,
    },
  ];
}

function setDefaults(definition: Json): void {
  const spec = childOf(definition, 'spec');
  const names = childOf(spec, 'names');
  definition['spec'] = spec;
  spec['names'] = names;
  names['singular'] ??= textOf(names, 'kind').toLowerCase();
  names['listKind'] ??= `${textOf(names, 'kind')}List`;
  spec['conversion'] ??= { strategy: 'None' };
  const status = childOf(definition, 'status');
  const storage = itemsOf(spec['versions']).find((version) => isJson(version) && version['storage'] === true);
  definition['status'] = {
    ...status,
    acceptedNames: names,
    storedVersions: [...new Set([...itemsOf(status['storedVersions']), textOf(storage, 'name')])],
  };
}

function validate(definition: Json, old?: Json): Causes {
  const spec = childOf(definition, 'spec');
  const names = childOf(spec, 'names');
  const group = textOf(spec, 'group');
  const expectedName = `${textOf(names, 'plural')}.${group}`;
  const name = textOf(childOf(definition, 'metadata'), 'name');
  return [
    ...(name === expectedName
      ? []
      : [invalidValue('metadata.name', name, `must be spec.names.plural+"."+spec.group (${expectedName})`)]),
    ...(group.includes('.') && isDnsSubdomain(group)
      ? []
      : [invalidValue('spec.group', group, 'should be a domain with at least one dot')]),
    ...protectedGroupErrors(definition, group),
    ...oneOf({ scope: '', ...spec }, 'scope', 'spec', ['Cluster', 'Namespaced']),
    ...nameErrors(names),
    ...versionErrors(spec),
    ...conversionErrors(spec),
    ...(old === undefined ? [] : changeErrors(spec, childOf(old, 'spec'))),
  ];
}

/** Groups of the Kubernetes project itself are for kinds that it approved. */
function protectedGroupErrors(definition: Json, group: string): Causes {
  const isProtected = ['k8s.io', 'kubernetes.io'].some((domain) => group === domain || group.endsWith(`.${domain}`));
  const annotations = stringMap(childOf(definition, 'metadata')['annotations']);
  if (!isProtected || annotations['api-approved.kubernetes.io'] !== undefined) return [];
  const field = 'metadata.annotations[api-approved.kubernetes.io]';
  return [required(field, 'protected groups must have approval annotation "api-approved.kubernetes.io"')];
}

function nameErrors(names: Json): Causes {
  const plural = textOf(names, 'plural');
  const kind = textOf(names, 'kind');
  return [
    ...(isDnsLabel(plural) ? [] : [invalidValue('spec.names.plural', plural, 'must be a lowercase RFC 1035 label')]),
    ...(/^[A-Za-z][A-Za-z0-9]{0,62}$/.test(kind)
      ? []
      : [invalidValue('spec.names.kind', kind, 'must be a name of letters and digits')]),
  ];
}

function versionErrors(spec: Json): Causes {
  const versions = itemsOf(spec['versions']).filter(isJson);
  const causes: StatusCause[] = [];
  if (versions.length === 0) causes.push(required('spec.versions', 'must have at least one version'));
  else if (versions.filter((version) => version['storage'] === true).length !== 1) {
    causes.push(
      invalidValue('spec.versions', versions.length, 'must have exactly one version marked as storage version'),
    );
  }
  return [
    ...causes,
    ...duplicates(
      versions.map((version) => textOf(version, 'name')),
      (index) => `spec.versions[${String(index)}].name`,
    ),
    ...forEachItem(versions, 'spec.versions', (version, field) => [
      ...(isDnsLabel(textOf(version, 'name'))
        ? []
        : [invalidValue(`${field}.name`, version['name'] ?? '', 'must be a DNS label')]),
      ...(typeof version['served'] === 'boolean' ? [] : [required(`${field}.served`)]),
      ...(typeof version['storage'] === 'boolean' ? [] : [required(`${field}.storage`)]),
      ...structuralErrors(childOf(version, 'schema')['openAPIV3Schema'], `${field}.schema.openAPIV3Schema`),
    ]),
  ];
}

function conversionErrors(spec: Json): Causes {
  const strategy = textOf(childOf(spec, 'conversion'), 'strategy');
  return strategy === 'None' ? [] : [notSupported('spec.conversion.strategy', strategy, ['None'])];
}

function changeErrors(spec: Json, oldSpec: Json): Causes {
  const fixed = (of: Json): readonly unknown[] => [
    of['group'],
    of['scope'],
    childOf(of, 'names')['plural'],
    childOf(of, 'names')['kind'],
  ];
  if (Bun.deepEquals(fixed(spec), fixed(oldSpec))) return [];
  return [invalidValue('spec', spec['group'], 'group, scope, plural and kind are immutable')];
}
