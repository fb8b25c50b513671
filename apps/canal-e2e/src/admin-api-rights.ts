/** What somebody can do who has taken the admin API's token, as agent-requests.ts lists it for the agents'. */
import { type AgentRequest, get, patch, post, remove, STRATEGIC } from './agent-requests.ts';

const CORE = '/api/v1';
const RELEASE = 'canal.io/ipam-release';
const OWN = `${CORE}/namespaces/canal-system`;
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const REVIEWS = '/apis/authorization.k8s.io/v1/subjectaccessreviews';

function review(kind: string, spec: object): object {
  const group = kind === 'TokenReview' ? 'authentication.k8s.io' : 'authorization.k8s.io';
  return { apiVersion: `${group}/v1`, kind, spec };
}

const askAccess = review('SubjectAccessReview', {
  user: 'e2e',
  resourceAttributes: { group: 'admin.canal.io', resource: 'nodes', verb: 'list' },
});

export function adminApiMay({ node }: { readonly node: string }): readonly AgentRequest[] {
  const status = `${CORE}/nodes/${node}/status`;
  return [
    patch('ask a node to release an address', status, { metadata: { annotations: { [RELEASE]: 'e2e' } } }),
    patch('take that back', status, { metadata: { annotations: { [RELEASE]: null } } }),
    get('list nodes', `${CORE}/nodes?limit=1`),
    get('watch nodes', `${CORE}/nodes?watch=1&timeoutSeconds=1`),
    get('list pods', `${CORE}/pods?limit=1`),
    get('list namespaces', `${CORE}/namespaces?limit=1`),
    get('list Events', `${CORE}/events?limit=1`),
    get('list network policies', '/apis/networking.k8s.io/v1/networkpolicies?limit=1'),
    get('get the settings', `${OWN}/configmaps/canal-config`),
    patch('change the settings', `${OWN}/configmaps/canal-config`, { data: { 'net-conf.json': '{}' } }),
    patch('publish its authority', `${OWN}/configmaps/canal-admin-api-authority`, { data: { 'ca.crt': 'e2e' } }),
    post(
      'ask whose a token is',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      review('TokenReview', { token: 'e2e' }),
    ),
    post('ask what somebody may do', REVIEWS, askAccess),
  ];
}

export function adminApiMayNot({ node }: { readonly node: string }): readonly AgentRequest[] {
  return [
    ...notOfNodes(`${CORE}/nodes/${node}/status`),
    patch("a node's taints", `${CORE}/nodes/${node}`, { spec: { taints: [] } }),
    remove('delete a node', `${CORE}/nodes/${node}`),
    get("read a kubelet's pods", `${CORE}/nodes/${node}/proxy/pods`),
    post('a pod', `${OWN}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'e2e' },
      spec: { containers: [{ name: 'e2e', image: 'e2e', securityContext: { privileged: true } }] },
    }),
    remove("delete agents' pods", `${OWN}/pods`),
    patch("the agents' DaemonSet", '/apis/apps/v1/namespaces/canal-system/daemonsets/canal-node', {
      metadata: { labels: { e2e: '1' } },
    }),
    patch('its own Deployment', '/apis/apps/v1/namespaces/canal-system/deployments/canal-admin-api', {
      spec: { replicas: 2 },
    }),
    post('a network policy', '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'e2e' },
      spec: { podSelector: {} },
    }),
    remove(
      'its own network policy',
      '/apis/networking.k8s.io/v1/namespaces/canal-system/networkpolicies/canal-admin-api',
    ),
    post('an Event', `${CORE}/namespaces/default/events`, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e2e', namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: node },
    }),
    remove('delete the settings', `${OWN}/configmaps/canal-config`),
    get('list ConfigMaps of its namespace', `${OWN}/configmaps`),
    get("kube-system's ConfigMaps", `${CORE}/namespaces/kube-system/configmaps`),
    post('a ConfigMap', `${OWN}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'e2e' } }),
    get('list all Secrets', `${CORE}/secrets`),
    get('list Secrets of its namespace', `${OWN}/secrets`),
    get('list ServiceAccounts', `${OWN}/serviceaccounts`),
    ...['canal-admin-api', 'canal-admin', 'canal-node'].map((account) =>
      post(`a token of ${account}`, `${OWN}/serviceaccounts/${account}/token`, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {},
      }),
    ),
    patch('its own ClusterRole', `${RBAC}/clusterroles/canal-admin-api`, { rules: [] }),
    patch('the role of viewers', `${RBAC}/clusterroles/canal-view`, { rules: [] }),
    post('bind itself to cluster-admin', `${RBAC}/clusterrolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'e2e' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'canal-admin-api', namespace: 'canal-system' }],
    }),
    get('be somebody else', `${CORE}/nodes`, ['Impersonate-User: kubernetes-admin']),
    get('metrics of the API server', '/metrics'),
  ];
}

/** The admission policy lets it write one annotation of Nodes. */
function notOfNodes(status: string): readonly AgentRequest[] {
  const annotation = (name: string): object => ({ metadata: { annotations: { [name]: '192.0.2.1' } } });
  const ready = { type: 'Ready', status: 'False', reason: 'E2E', message: 'e2e' };
  const unavailable = { type: 'NetworkUnavailable', status: 'True', reason: 'E2E', message: 'e2e' };
  return [
    patch("a node's annotation", status, annotation('e2e')),
    patch("a node's public address", status, annotation('flannel.alpha.coreos.com/public-ip')),
    patch('the authority of a node’s certificates', status, annotation('canal.io/node-api-authority')),
    patch('what a node says that it has released', status, annotation('canal.io/ipam-release-outcome')),
    patch('a release and a label in one', status, {
      metadata: { annotations: { [RELEASE]: 'e2e' }, labels: { e2e: '1' } },
    }),
    patch("a node's NetworkUnavailable", status, { status: { conditions: [unavailable] } }, STRATEGIC),
    patch("a node's Ready", status, { status: { conditions: [ready] } }, STRATEGIC),
    patch("a node's addresses", status, { status: { addresses: [] } }),
  ];
}

/** Of canal-view, -operate and -admin: the API server serves them nothing, whatever the admin API does. */
export function peopleMayNot(): readonly AgentRequest[] {
  return [
    get('metrics of the API server', '/metrics'),
    get('list nodes', `${CORE}/nodes?limit=1`),
    get('list pods', `${CORE}/pods?limit=1`),
    get('list network policies', '/apis/networking.k8s.io/v1/networkpolicies?limit=1'),
    get('the settings', `${OWN}/configmaps/canal-config`),
    patch('change the settings', `${OWN}/configmaps/canal-config`, { data: { 'net-conf.json': '{}' } }),
    get('list Secrets', `${OWN}/secrets`),
    post('ask what somebody may do', REVIEWS, askAccess),
    post('a token of canal-admin', `${OWN}/serviceaccounts/canal-admin/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    }),
  ];
}
