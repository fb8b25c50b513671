import { noSuchPath } from './api-error.ts';
import type { ResourceDefinition } from './resource.ts';

/** What clients ask before they know what is served. */
export function coreVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

export function groupList(resources: readonly ResourceDefinition[]): object {
  const names = [...new Set(resources.map((resource) => resource.group))].filter((group) => group !== '').sort();
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: names.map((name) => groupOf(resources, name)) };
}

export function oneGroup(resources: readonly ResourceDefinition[], group: string): object {
  if (!resources.some((resource) => resource.group === group)) throw noSuchPath();
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(resources, group) };
}

export function resourceList(resources: readonly ResourceDefinition[], group: string, version: string): object {
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  if (served.length === 0) throw noSuchPath();
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: served.flatMap(resourceEntries),
  };
}

function groupOf(resources: readonly ResourceDefinition[], name: string): GroupEntry {
  const versions = [...new Set(resources.filter((resource) => resource.group === name).map(({ version }) => version))];
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

interface GroupEntry {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion: { readonly groupVersion: string; readonly version: string } | undefined;
}

function resourceEntries(resource: ResourceDefinition): readonly object[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = resource;
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  if (!resource.statusSubresource) return [main];
  return [main, { name: `${plural}/status`, singularName: '', namespaced, kind, verbs: ['get', 'patch', 'update'] }];
}
