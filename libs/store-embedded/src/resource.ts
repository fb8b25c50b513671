import type { ResourceType } from '@canal/store-port';

import type { Json } from './json.ts';
import { isDnsSubdomain } from './label-selector.ts';
import type { TableColumn } from './table.ts';
import type { Causes } from './value-rules.ts';

/** One served resource: names, and what is particular about its objects. */
export interface ResourceDefinition extends ResourceType {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Key in the database, `group/plural`: versions of one resource share their objects. */
  readonly storageKey: string;
  /** apiVersion that objects are stored with; other served versions are shown by rewriting it. */
  readonly storageApiVersion: string;
  /** `true`: main writes leave status alone, and `/status` writes leave the rest alone. */
  readonly statusSubresource: boolean;
  /** A status write may change labels and annotations too (built-in kinds), or nothing but the status (custom ones). */
  readonly statusWritesMetadata: boolean;
  /** An update may leave out the version that it replaces. */
  readonly unconditionalUpdate: boolean;
  /** What a new object's status becomes; by default it is dropped when there is a status subresource. */
  readonly initialStatus?: (object: Json) => unknown;
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly hasGeneration: boolean;
  /** Paths that field selectors may name. */
  readonly fieldSelectors: readonly string[];
  readonly validName: (name: string) => boolean;
  readonly schema: ObjectSchema;
  /** Values that are well-formed but wrong. `old` is the stored object of an update. */
  readonly validate?: (object: Json, old?: Json) => Causes;
  /** Columns of `kubectl get` between name and age. */
  readonly columns: readonly TableColumn[];
}

/** The form of a kind's objects. */
export interface ObjectSchema {
  /** Unknown and ill-typed fields by path. Members that are null are removed on the way. */
  readonly check: (object: Json) => { readonly unknown: readonly string[]; readonly mistyped: readonly string[] };
  /** Fills in what was left out, in place. */
  readonly setDefaults?: (object: Json) => void;
  /** OpenAPI v3 schemas by name, for `kubectl explain`: the kind's own under the name of the kind. */
  readonly published: () => Readonly<Record<string, object>>;
  /** Strategic merge patch; kinds that users define have none. */
  readonly strategicMerge?: (object: Json, patch: Json) => Json;
}

const NAME_AND_NAMESPACE: readonly string[] = ['metadata.name', 'metadata.namespace'];

/** A definition with the usual answers where `particular` gives none. */
export function defineResource(
  type: ResourceType,
  names: {
    readonly singular: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  },
  particular: Pick<ResourceDefinition, 'schema'> & Partial<ResourceDefinition>,
): ResourceDefinition {
  return {
    ...type,
    shortNames: [],
    categories: [],
    ...names,
    storageKey: `${type.group}/${type.plural}`,
    storageApiVersion: apiVersionOf(type),
    statusSubresource: false,
    statusWritesMetadata: true,
    unconditionalUpdate: true,
    hasGeneration: false,
    fieldSelectors: type.namespaced ? NAME_AND_NAMESPACE : ['metadata.name'],
    validName: isDnsSubdomain,
    columns: [],
    ...particular,
  };
}

/** `group/version`, or the version alone for the core group. */
export function apiVersionOf(type: Pick<ResourceType, 'group' | 'version'>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}
