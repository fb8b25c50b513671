/** Kinds of the manifest that an uninstall reads or deletes, beside those of store-port. */
import type { ResourceType } from '@canal/store-port';

const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' };
const admission = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false };

export const DAEMON_SETS: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  namespaced: true,
};
export const DEPLOYMENTS: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};
export const JOBS: ResourceType = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };

/** Outside canal's own namespace, in the order of deletion. */
export const SCATTERED: readonly ResourceType[] = [
  { ...admission, plural: 'validatingadmissionpolicybindings', kind: 'ValidatingAdmissionPolicyBinding' },
  { ...admission, plural: 'validatingadmissionpolicies', kind: 'ValidatingAdmissionPolicy' },
  { ...rbac, plural: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
  { ...rbac, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false },
  { ...rbac, plural: 'rolebindings', kind: 'RoleBinding', namespaced: true },
  { ...rbac, plural: 'roles', kind: 'Role', namespaced: true },
];
