/**
 * What somebody can do who has taken the agent's token from one node: requests that must be refused and requests that
 * must work. Writes are dry runs: authorization and admission judge them as real ones, and nothing changes if one passes.
 */

export interface AgentRequest {
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With query; writes get `dryRun=All`. */
  readonly path: string;
  readonly body?: object;
  readonly headers?: readonly string[];
  readonly contentType?: string;
}

export interface RequestCast {
  /** The node whose token it is. */
  readonly own: string;
  readonly other: string;
  /** The agent's pod on the own node. */
  readonly agentPod: string;
}

const MERGE = 'application/merge-patch+json';
export const STRATEGIC = 'application/strategic-merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const AGENT = '/namespaces/canal-system';
const KUBE_SYSTEM = '/api/v1/namespaces/kube-system';
const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const ANNOTATION = 'flannel.alpha.coreos.com';
const AUTHORITY = 'canal.io/node-api-authority';

export const get = (what: string, path: string, headers: readonly string[] = []): AgentRequest => ({
  what,
  method: 'GET',
  path,
  headers,
});
export const patch = (what: string, path: string, body: object, contentType = MERGE): AgentRequest => ({
  what,
  method: 'PATCH',
  path,
  body,
  contentType,
});
export const post = (what: string, path: string, body: object): AgentRequest => ({ what, method: 'POST', path, body });
export const remove = (what: string, path: string): AgentRequest => ({ what, method: 'DELETE', path });

function condition(type: string, status: string): object {
  return { type, status, reason: 'E2E', message: 'e2e' };
}

/** `speaker`: the node in whose name it is said. */
function event(namespace: string, kind: string, name: string, speaker?: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e2e-${kind.toLowerCase()}-${name}`, namespace },
    involvedObject: { apiVersion: 'v1', kind, name, uid: name, ...(kind !== 'Node' && { namespace }) },
    type: 'Normal',
    reason: 'E2E',
    message: 'e2e',
    source: { component: 'e2e', ...(speaker !== undefined && { host: speaker }) },
    ...(speaker !== undefined && { reportingComponent: 'e2e', reportingInstance: speaker }),
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 1,
  };
}

export function allowedRequests({ own, agentPod }: RequestCast): readonly AgentRequest[] {
  const status = `/api/v1/nodes/${own}/status`;
  return [
    get('get its node', `/api/v1/nodes/${own}`),
    get('list nodes', '/api/v1/nodes?limit=1'),
    get('watch nodes', '/api/v1/nodes?watch=1&timeoutSeconds=1'),
    patch('write its own annotation', status, {
      metadata: { annotations: { [`${ANNOTATION}/public-ip`]: '192.0.2.1' } },
    }),
    patch('answer a request to release an address', status, {
      metadata: { annotations: { 'canal.io/ipam-release': null, 'canal.io/ipam-release-outcome': 'e2e' } },
    }),
    patch('publish the authority of its certificates', status, { metadata: { annotations: { [AUTHORITY]: 'e2e' } } }),
    post('ask whose a token is', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: 'e2e', audiences: ['canal-node-api'] },
    }),
    patch('remove its own annotation', status, { metadata: { annotations: { [`${ANNOTATION}/backend-data`]: null } } }),
    patch(
      'set NetworkUnavailable of its node',
      status,
      { status: { conditions: [condition('NetworkUnavailable', 'True')] } },
      STRATEGIC,
    ),
    post('write an Event about its node', '/api/v1/namespaces/default/events', event('default', 'Node', own)),
    get('get a pod', `/api/v1${AGENT}/pods/${agentPod}`),
    get('list pods', '/api/v1/pods?limit=1'),
    get('watch pods', '/api/v1/pods?watch=1&timeoutSeconds=1'),
    get('list namespaces', '/api/v1/namespaces?limit=1'),
    get('list network policies', '/apis/networking.k8s.io/v1/networkpolicies?limit=1'),
    post('an Event about a pod', `${KUBE_SYSTEM}/events`, event('kube-system', 'Pod', 'e2e', own)),
    post('an Event about a policy', `${KUBE_SYSTEM}/events`, event('kube-system', 'NetworkPolicy', 'e2e', own)),
  ];
}

export function refusedRequests(cast: RequestCast): readonly AgentRequest[] {
  return [...nodeRequests(cast), ...escalations(cast), ...workloads(cast), ...reads(cast)];
}

function nodeRequests({ own, other }: RequestCast): readonly AgentRequest[] {
  const ownStatus = `/api/v1/nodes/${own}/status`;
  const otherStatus = `/api/v1/nodes/${other}/status`;
  return [
    patch("another node's annotation", otherStatus, {
      metadata: { annotations: { [`${ANNOTATION}/public-ip`]: '192.0.2.1' } },
    }),
    patch('the authority of another node’s certificates', otherStatus, {
      metadata: { annotations: { [AUTHORITY]: 'e2e' } },
    }),
    patch('a request to another node to release an address', otherStatus, {
      metadata: { annotations: { 'canal.io/ipam-release': 'e2e' } },
    }),
    patch(
      "another node's annotation, as JSON patch",
      otherStatus,
      [{ op: 'add', path: '/metadata/annotations/e2e', value: '1' }],
      JSON_PATCH,
    ),
    patch(
      "another node's NetworkUnavailable",
      otherStatus,
      { status: { conditions: [condition('NetworkUnavailable', 'True')] } },
      STRATEGIC,
    ),
    patch("another node's Ready", otherStatus, { status: { conditions: [condition('Ready', 'False')] } }, STRATEGIC),
    patch("another node's addresses", otherStatus, {
      status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    }),
    patch('its node: Ready', ownStatus, { status: { conditions: [condition('Ready', 'False')] } }, STRATEGIC),
    patch(
      'its node: a condition of its own making',
      ownStatus,
      { status: { conditions: [condition('E2E', 'True')] } },
      STRATEGIC,
    ),
    patch('its node: all conditions gone', ownStatus, {
      status: { conditions: [condition('NetworkUnavailable', 'False')] },
    }),
    patch('its node: addresses', ownStatus, { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } }),
    patch('its node: capacity', ownStatus, { status: { capacity: { 'example.com/e2e': '1' } } }),
    patch('its node: label, by status', ownStatus, {
      metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } },
    }),
    patch('its node: label', `/api/v1/nodes/${own}`, { metadata: { labels: { e2e: '1' } } }),
    patch('its node: finalizer, by status', ownStatus, { metadata: { finalizers: ['example.com/e2e'] } }),
    patch('its node: owner, by status', ownStatus, {
      metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: other, uid: 'e2e' }] },
    }),
    patch("its node: somebody else's annotation", ownStatus, {
      metadata: { annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'false' } },
    }),
    patch('its node: an address that people set', ownStatus, {
      metadata: { annotations: { [`${ANNOTATION}/public-ip-overwrite`]: '192.0.2.1' } },
    }),
    patch('its node: taints', `/api/v1/nodes/${own}`, { spec: { taints: [] } }),
    patch('its node: unschedulable', `/api/v1/nodes/${own}`, { spec: { unschedulable: true } }),
    patch('its node: pod subnet', `/api/v1/nodes/${own}`, { spec: { podCIDR: '10.0.0.0/8' } }),
    {
      what: 'its node: replace',
      method: 'PUT',
      path: `/api/v1/nodes/${own}`,
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name: own } },
    },
    {
      what: 'its node: replace status',
      method: 'PUT',
      path: ownStatus,
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name: own } },
    },
    remove('delete its node', `/api/v1/nodes/${own}`),
    remove('delete another node', `/api/v1/nodes/${other}`),
    remove('delete all nodes', '/api/v1/nodes'),
    post('create a node', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'e2e' } }),
    get("read its kubelet's logs", `/api/v1/nodes/${own}/proxy/logs/`),
    get("read another kubelet's pods", `/api/v1/nodes/${other}/proxy/pods`),
    post('Event about another node', '/api/v1/namespaces/default/events', event('default', 'Node', other)),
    post('Event about a pod in nobody’s name', `${KUBE_SYSTEM}/events`, event('kube-system', 'Pod', 'e2e')),
    post(
      'Event about a pod in another node’s name',
      `${KUBE_SYSTEM}/events`,
      event('kube-system', 'Pod', 'e2e', other),
    ),
    post('Event about a Secret', `${KUBE_SYSTEM}/events`, event('kube-system', 'Secret', 'e2e', own)),
    remove('delete Events', '/api/v1/namespaces/default/events'),
  ];
}

function escalations(_cast: RequestCast): readonly AgentRequest[] {
  const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
  const binding = (name: string, kind: 'ClusterRole' | 'Role', role: string): object => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
    subjects: [{ kind: 'ServiceAccount', name: 'canal-node', namespace: 'canal-system' }],
  });
  return [
    patch('its own ClusterRole', `${RBAC}/clusterroles/canal-node`, { rules: [everything] }),
    post('a ClusterRole of all rights', `${RBAC}/clusterroles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'e2e' },
      rules: [everything],
    }),
    post('bind itself to cluster-admin', `${RBAC}/clusterrolebindings`, {
      kind: 'ClusterRoleBinding',
      ...binding('e2e', 'ClusterRole', 'cluster-admin'),
    }),
    post('bind itself in kube-system', `${RBAC}/namespaces/kube-system/rolebindings`, {
      kind: 'RoleBinding',
      ...binding('e2e', 'ClusterRole', 'admin'),
    }),
    patch('its own ClusterRoleBinding', `${RBAC}/clusterrolebindings/canal-node`, { subjects: [] }),
    patch('its own Role', `${RBAC}/namespaces/default/roles/canal-node`, { rules: [everything] }),
    patch('the admission policy', `${ADMISSION}/validatingadmissionpolicies/canal-node`, {
      spec: { failurePolicy: 'Ignore' },
    }),
    remove('delete the admission policy', `${ADMISSION}/validatingadmissionpolicies/canal-node`),
    remove("delete the admission policy's binding", `${ADMISSION}/validatingadmissionpolicybindings/canal-node`),
    post('a token of its own', `/api/v1${AGENT}/serviceaccounts/canal-node/token`, tokenRequest()),
    post('a token of kube-system', '/api/v1/namespaces/kube-system/serviceaccounts/default/token', tokenRequest()),
    get('be somebody else: a user', '/api/v1/nodes', ['Impersonate-User: kubernetes-admin']),
    get('be somebody else: a group', '/api/v1/nodes', ['Impersonate-User: e2e', 'Impersonate-Group: system:masters']),
    post('ask what somebody may do', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: 'e2e', resourceAttributes: { verb: 'get', resource: 'secrets' } },
    }),
    post('a certificate', '/apis/certificates.k8s.io/v1/certificatesigningrequests', {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'e2e' },
      spec: { request: 'ZTJl', signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
    }),
  ];
}

function tokenRequest(): object {
  return { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
}

function workloads({ own, agentPod }: RequestCast): readonly AgentRequest[] {
  return [
    post('create a pod', '/api/v1/namespaces/default/pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'e2e' },
      spec: { nodeName: own, containers: [{ name: 'e2e', image: 'e2e', securityContext: { privileged: true } }] },
    }),
    remove('delete its own pod', `/api/v1${AGENT}/pods/${agentPod}`),
    post('evict its own pod', `/api/v1${AGENT}/pods/${agentPod}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: agentPod, namespace: 'canal-system' },
    }),
    post('exec in its own pod', `/api/v1${AGENT}/pods/${agentPod}/exec?command=id`, {}),
    get('exec in its own pod, by GET', `/api/v1${AGENT}/pods/${agentPod}/exec?command=id`),
    patch('its own pod', `/api/v1${AGENT}/pods/${agentPod}`, { metadata: { labels: { e2e: '1' } } }),
    patch('the status of its own pod', `/api/v1${AGENT}/pods/${agentPod}/status`, { status: { podIP: '192.0.2.1' } }),
    patch('the labels of a namespace', '/api/v1/namespaces/default', { metadata: { labels: { e2e: '1' } } }),
    post('a network policy', POLICIES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'e2e' },
      spec: { podSelector: {} },
    }),
    remove('delete network policies', POLICIES),
    patch('its own DaemonSet', `/apis/apps/v1${AGENT}/daemonsets/canal-node`, { metadata: { labels: { e2e: '1' } } }),
    patch('its own ServiceAccount', `/api/v1${AGENT}/serviceaccounts/canal-node`, {
      metadata: { labels: { e2e: '1' } },
    }),
    patch('its own ConfigMap', `/api/v1${AGENT}/configmaps/canal-config`, { data: { e2e: '1' } }),
    post('a Secret', `/api/v1${AGENT}/secrets`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'e2e' } }),
    remove('delete its namespace', '/api/v1/namespaces/canal-system'),
    patch('a Service', '/api/v1/namespaces/default/services/kubernetes', { metadata: { labels: { e2e: '1' } } }),
    post('a Lease', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'e2e' },
    }),
  ];
}

function reads({ agentPod }: RequestCast): readonly AgentRequest[] {
  return [
    get('list all Secrets', '/api/v1/secrets'),
    get('list Secrets of its namespace', `/api/v1${AGENT}/secrets`),
    get('get a Secret', '/api/v1/namespaces/kube-system/secrets/e2e'),
    get('list all ConfigMaps', '/api/v1/configmaps'),
    get("kube-system's ConfigMaps", '/api/v1/namespaces/kube-system/configmaps'),
    get('its own ConfigMap', `/api/v1${AGENT}/configmaps/canal-config`),
    get("its own pod's log", `/api/v1${AGENT}/pods/${agentPod}/log`),
    get('list ServiceAccounts', '/api/v1/serviceaccounts'),
    get('read ClusterRoles', `${RBAC}/clusterroles`),
    get('read Events', '/api/v1/namespaces/default/events'),
    get('metrics of the API server', '/metrics'),
  ];
}
