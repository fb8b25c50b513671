import type { ResourceType } from './store.ts';

/** The kinds that agents and tools of this project read or write. */
export const NODES: ResourceType = core('nodes', 'Node', false);
export const NAMESPACES: ResourceType = core('namespaces', 'Namespace', false);
export const PODS: ResourceType = core('pods', 'Pod', true);
export const SERVICE_ACCOUNTS: ResourceType = core('serviceaccounts', 'ServiceAccount', true);
export const SERVICES: ResourceType = core('services', 'Service', true);
export const CONFIG_MAPS: ResourceType = core('configmaps', 'ConfigMap', true);
export const EVENTS: ResourceType = core('events', 'Event', true);
export const ENDPOINT_SLICES: ResourceType = grouped('discovery.k8s.io', 'endpointslices', 'EndpointSlice', true);
export const LEASES: ResourceType = grouped('coordination.k8s.io', 'leases', 'Lease', true);
export const NETWORK_POLICIES: ResourceType = grouped('networking.k8s.io', 'networkpolicies', 'NetworkPolicy', true);
export const CUSTOM_RESOURCE_DEFINITIONS: ResourceType = grouped(
  'apiextensions.k8s.io',
  'customresourcedefinitions',
  'CustomResourceDefinition',
  false,
);

function core(plural: string, kind: string, namespaced: boolean): ResourceType {
  return grouped('', plural, kind, namespaced);
}

function grouped(group: string, plural: string, kind: string, namespaced: boolean): ResourceType {
  return { group, version: 'v1', plural, kind, namespaced };
}
