/** deploy/canal.yaml as it is committed: what it grants, what people edit in it, and that our own programs take it. */
import { readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { DEFAULT_POLICY_SOCKET, NODE_AGENT_SOCKET, NODE_API_AUDIENCE } from '@canal/agent-protocol';
import {
  ADDRESS_RELEASE_REQUEST,
  annotationKeys,
  DEFAULT_ANNOTATION_PREFIX,
  parseNetConf,
  renderWithdrawnAnnotations,
} from '@canal/api-schema';
import { parseConfList } from '@canal/cni-spec';
import { parseFlanneldCommand, parsePolicyAgentCommand } from '@canal/config';
import { NODE_API_PORTS } from '@canal/node-api';
import { unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { mergeManifest } from './render-manifest.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const TEXT = readFileSync(join(ROOT, 'deploy/canal.yaml'), 'utf8');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: Record<string, string> };
  readonly [field: string]: unknown;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly configMapKeyRef?: { name: string; key: string; optional?: boolean } };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly args: readonly string[];
  readonly env: readonly EnvVar[];
  readonly envFrom?: unknown;
  readonly securityContext: {
    readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
  };
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPathExpr?: string;
    readonly readOnly?: boolean;
  }[];
  readonly livenessProbe?: { readonly httpGet: { readonly host: string; readonly port: number } };
  readonly readinessProbe?: { readonly httpGet: { readonly host: string; readonly port: number } };
}

interface PodSpec {
  readonly containers: readonly [Container, Container];
  readonly initContainers: readonly [Container];
  readonly volumes: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly hostPath?: { readonly path: string; readonly type: string };
  }[];
  readonly [field: string]: unknown;
}

const documents = parseAllDocuments(TEXT);
const objects = documents.map((document) => document.toJS() as KubeObject);

function objectOf(kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

const daemonSet = objectOf('DaemonSet', 'canal-node')['spec'] as {
  readonly selector: unknown;
  readonly template: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: PodSpec };
};
const pod = daemonSet.template.spec;
const [agent, policyAgent] = pod.containers;
const installer = pod.initContainers[0];
const config = objectOf('ConfigMap', 'canal-config')['data'] as Readonly<Record<string, string>>;

test('one file of at most 1,000 lines without faults, in the order in which it can be applied', () => {
  expect(TEXT.split('\n').length).toBeLessThanOrEqual(1_000);
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Namespace canal-system',
    'ServiceAccount canal-node',
    'ClusterRole canal-node',
    'ClusterRoleBinding canal-node',
    'ServiceAccount canal-admin-api',
    'ClusterRole canal-admin-api',
    'ClusterRoleBinding canal-admin-api',
    'Role canal-admin-api',
    'RoleBinding canal-admin-api',
    'ClusterRole canal-view',
    'ClusterRole canal-operate',
    'ClusterRole canal-admin',
    'ServiceAccount canal-view',
    'ClusterRoleBinding canal-view',
    'ServiceAccount canal-operate',
    'ClusterRoleBinding canal-operate',
    'ServiceAccount canal-admin',
    'ClusterRoleBinding canal-admin',
    'ValidatingAdmissionPolicy canal-node',
    'ValidatingAdmissionPolicyBinding canal-node',
    'ValidatingAdmissionPolicy canal-node-events',
    'ValidatingAdmissionPolicyBinding canal-node-events',
    'ConfigMap canal-config',
    'DaemonSet canal-node',
    'ConfigMap canal-admin-api-authority',
    'NetworkPolicy canal-admin-api',
    'Service canal-admin-api',
    'Deployment canal-admin-api',
  ]);
});

test('labels, of which the selector takes the one that never changes', () => {
  const common = {
    'app.kubernetes.io/name': 'canal',
    'app.kubernetes.io/part-of': 'canal',
    'app.kubernetes.io/version': version,
    'app.kubernetes.io/managed-by': 'kustomize',
  };
  for (const { metadata } of objects) expect(metadata.labels).toMatchObject(common);
  expect(daemonSet.selector).toEqual({ matchLabels: { 'k8s-app': 'canal' } });
  expect(daemonSet.template.metadata.labels).toMatchObject({ ...common, 'k8s-app': 'canal' });
});

describe('rights', () => {
  test('by name, never by wildcard, and these alone', () => {
    const rulesOf = (kind: string): unknown => objectOf(kind, 'canal-node')['rules'];
    expect(rulesOf('ClusterRole')).toEqual([
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create'] },
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    ]);
    expect(TEXT).not.toMatch(/['"[ ]\*['",\] ]/);
  });

  test('the admin API reads, asks who somebody is, and writes two ConfigMaps and one annotation of Nodes', () => {
    expect(objectOf('ClusterRole', 'canal-admin-api')['rules']).toEqual([
      { apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['namespaces', 'pods', 'events'], verbs: ['list'] },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list'] },
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
    ]);
    expect(objectOf('Role', 'canal-admin-api')['rules']).toEqual([
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['canal-config', 'canal-admin-api-authority'],
        verbs: ['get', 'patch'],
      },
    ]);
  });

  test.each(['canal-node', 'canal-admin-api', 'canal-view', 'canal-operate', 'canal-admin'])(
    'the service account %s has the ClusterRole of its name, and mounts no token by itself',
    (name) => {
      expect(objectOf('ServiceAccount', name)).toMatchObject({ automountServiceAccountToken: false });
      expect(objectOf('ClusterRoleBinding', name)).toMatchObject({
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', name, namespace: 'canal-system' }],
      });
    },
  );

  test('the admission policies deny, also when they cannot be asked, and speak of this service account', () => {
    for (const name of ['canal-node', 'canal-node-events']) {
      expect(objectOf('ValidatingAdmissionPolicy', name)['spec']).toMatchObject({
        failurePolicy: 'Fail',
        matchConditions: [
          { expression: expect.stringContaining("request.userInfo.username.endsWith(':canal-node')") as string },
        ],
      });
      const binding = objectOf('ValidatingAdmissionPolicyBinding', name)['spec'];
      expect(binding).toEqual({ policyName: name, validationActions: ['Deny'] });
    }
  });

  test('the annotations that may be written are those that the agent writes', () => {
    const { variables } = objectOf('ValidatingAdmissionPolicy', 'canal-node')['spec'] as {
      readonly variables: readonly { readonly name: string; readonly expression: string }[];
    };
    const expression = variables.find(({ name }) => name === 'writtenByAgent')?.expression ?? '';
    const [list = '', prefix = '', added = ''] = expression.split(/\.map\(|\) \+\s/);
    const names = [...list.matchAll(/'([^']+)'/g)].map(([, name]) => `${/'([^']+)'/.exec(prefix)?.[1]}${name}`);
    const keys = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
    names.push(...[...added.matchAll(/'([^']+)'/g)].map(([, name = '']) => name));
    expect(names.sort()).toEqual(Object.keys(renderWithdrawnAnnotations(keys)).sort());
    const written = variables.find(({ name }) => name === 'written')?.expression;
    expect(written).toBe(`variables.isAdminApi ? ['${ADDRESS_RELEASE_REQUEST}'] : variables.writtenByAgent`);
  });
});

describe('pod', () => {
  test('a part of each node, whatever its state', () => {
    expect(pod).toMatchObject({
      hostNetwork: true,
      dnsPolicy: 'Default',
      priorityClassName: 'system-node-critical',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      enableServiceLinks: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(pod['tolerations']).toEqual([
      { operator: 'Exists', effect: 'NoSchedule' },
      { operator: 'Exists', effect: 'NoExecute' },
      { operator: 'Exists', key: 'CriticalAddonsOnly' },
    ]);
  });

  test.each([
    ['install-cni', installer, ['SYS_CHROOT', 'DAC_OVERRIDE']],
    ['flanneld', agent, ['NET_ADMIN', 'NET_RAW', 'DAC_OVERRIDE']],
    ['policy-agent', policyAgent, ['NET_ADMIN']],
  ])('%s: this version, not privileged, each capability with its reason', (name, container, capabilities) => {
    expect(container).toMatchObject({
      name,
      image: `docker.io/canalcni/canal:${version}`,
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: expect.any(String) as string, memory: expect.any(String) as string } },
      securityContext: {
        privileged: false,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        seLinuxOptions: { type: 'spc_t' },
        capabilities: { drop: ['ALL'], add: capabilities },
      },
    });
    expect(container).not.toHaveProperty(['resources', 'limits', 'cpu']);
    for (const capability of capabilities) expect(TEXT).toMatch(new RegExp(`# .+\\n +- ${capability}\\n`));
  });

  test('the token is mounted into the agents alone, and expires', () => {
    expect(pod['automountServiceAccountToken']).toBe(false);
    expect(objectOf('ServiceAccount', 'canal-node')['automountServiceAccountToken']).toBe(false);
    const mounts = (container: Container): string[] => container.volumeMounts.map(({ name }) => name);
    for (const container of [agent, policyAgent]) expect(mounts(container)).toContain('api-access');
    expect(mounts(installer)).toEqual(['host']);
  });

  test('the policy agent sees of the host its socket’s directory and the plugin’s records, which it cannot write', () => {
    const hostPaths = new Map(pod.volumes.map(({ name, hostPath }) => [name, hostPath?.path]));
    const seen = policyAgent.volumeMounts.flatMap(({ name, mountPath, readOnly = false }) => {
      const hostPath = hostPaths.get(name);
      return hostPath === undefined ? [] : [{ hostPath, mountPath, readOnly }];
    });
    expect(seen).toEqual([
      { hostPath: '/run/canal', mountPath: '/run/canal', readOnly: false },
      { hostPath: '/var/lib/canal/attachments', mountPath: '/var/lib/canal/attachments', readOnly: true },
    ]);
    // flanneld asks it on the socket, and has its own there.
    expect(agent.volumeMounts).toContainEqual({ name: 'run-canal', mountPath: '/run/canal' });
  });

  test('flanneld sees one directory of the host’s root, and no more', () => {
    expect(agent.volumeMounts.filter(({ name }) => name === 'host')).toEqual([
      { name: 'host', subPathExpr: '.$(CNI_CONF_DIR)', mountPath: '/etc/cni/net.d' },
    ]);
  });

  test('no cni-conf-dir makes that directory the host’s root: the kubelet refuses another mount’s path first', () => {
    const expressions = agent.volumeMounts.flatMap(({ name, subPathExpr }) =>
      subPathExpr ? [[name, subPathExpr]] : [],
    );
    expect(expressions.map(([name]) => name)).toEqual(['no-host-root', 'host']);
    // As the kubelet: empty is no sub-path at all, absolute ones and ".." are refused (ValidatePathNoBacksteps).
    const outcome = (value: string): string => {
      const paths = expressions.map(([, text = '']) => text.replaceAll('$(CNI_CONF_DIR)', value));
      if (paths.some((path) => path.startsWith('/') || path.split('/').includes('..'))) return 'refused';
      return posix.join('/', paths.at(-1) ?? '');
    };
    expect(outcome('/etc/cni/net.d')).toBe('/etc/cni/net.d');
    expect(outcome('/var/lib/rancher/k3s/agent/etc/cni/net.d')).toBe('/var/lib/rancher/k3s/agent/etc/cni/net.d');
    for (const value of ['', '/', '//', '/.', '/./', '/././', '//.', '.', './', '/..', '/etc/..', '/etc/../']) {
      expect([value, outcome(value)]).toEqual([value, 'refused']);
    }
    // Each text of at most eight slashes, dots and names.
    let texts = [''];
    for (let length = 0; length < 8; length++)
      texts = texts.flatMap((text) => [text, ...['/', '.', 'a'].map((c) => text + c)]);
    for (const value of new Set(texts))
      if (outcome(value) === '/') throw new Error(`${JSON.stringify(value)} is the root`);
    // Without the first mount the second would be it.
    expect(posix.join('/', (expressions[1]?.[1] ?? '').replaceAll('$(CNI_CONF_DIR)', ''))).toBe('/');
  });

  test('variables one by one, none that the runtime obeys', () => {
    for (const container of [agent, policyAgent, installer]) {
      expect(container.envFrom).toBeUndefined();
      for (const { name } of container.env) expect(name).not.toMatch(/^(?:BUN_|NODE_OPTIONS|LD_)/);
    }
  });

  test('the installer’s and the agents’ keys are in the ConfigMap; the two that need not be are optional', () => {
    const references = [agent, policyAgent, installer].flatMap(({ env }) =>
      env.flatMap((each) => each.valueFrom?.configMapKeyRef ?? []),
    );
    for (const { key, optional } of references) {
      if (key.startsWith('kubernetes-service-')) expect(optional).toBe(true);
      else expect(Object.keys(config)).toContain(key);
    }
    const read = new Set(references.map(({ key }) => key).filter((key) => !key.startsWith('kubernetes-service-')));
    expect([...read, 'net-conf.json', 'cni-conf.json'].sort()).toEqual(Object.keys(config).sort());
  });

  test('no variable is of a ConfigMap that the pod has not as a volume too: the kubelet forgets such', () => {
    const volumes = pod.volumes.flatMap(({ configMap }) => (configMap === undefined ? [] : [configMap.name]));
    for (const { env } of [agent, policyAgent, installer]) {
      for (const { valueFrom } of env) {
        if (valueFrom?.configMapKeyRef !== undefined) expect(volumes).toContain(valueFrom.configMapKeyRef.name);
      }
    }
  });
});

describe('admin API', () => {
  const deployment = objectOf('Deployment', 'canal-admin-api')['spec'] as {
    readonly replicas: number;
    readonly strategy: unknown;
    readonly selector: { readonly matchLabels: Record<string, string> };
    readonly template: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: PodSpec };
  };
  const { spec } = deployment.template;
  const { labels } = deployment.template.metadata;
  const [container] = spec.containers;

  test('nothing of the host, no right in its kernel, not root, nothing to write', () => {
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) expect(spec).not.toHaveProperty(field);
    expect(spec.containers).toHaveLength(1);
    expect(spec).toMatchObject({
      serviceAccountName: 'canal-admin-api',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: 'system-cluster-critical',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(container).toMatchObject({
      image: `docker.io/canalcni/canal:${version}`,
      resources: { requests: { cpu: expect.any(String) as string, memory: expect.any(String) as string } },
    });
    expect(container.securityContext).toEqual({
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const volume of spec.volumes) expect(Object.keys(volume).sort()).toEqual(['name', 'projected']);
    for (const { readOnly } of container.volumeMounts) expect(readOnly).toBe(true);
  });

  test('one at a time: each has a certificate of its own', () => {
    expect(deployment).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
  });

  test('its token for agents is of no use at the API server', () => {
    const { projected } = spec.volumes.find(({ name }) => name === 'node-api-access') as unknown as {
      readonly projected: object;
    };
    expect(projected).toEqual({
      sources: [{ serviceAccountToken: { path: 'token', audience: NODE_API_AUDIENCE, expirationSeconds: 3600 } }],
    });
  });

  test('the agents take its user alone', () => {
    const command = parsePolicyAgentCommand(policyAgent.args.slice(1), variablesOf(policyAgent));
    if (command.type !== 'run') throw new Error(JSON.stringify(command));
    expect(command.config.nodeApi?.user).toBe(
      `system:serviceaccount:canal-system:${String(spec['serviceAccountName'])}`,
    );
  });

  test('its pods are not taken for agents; Service, policy and Deployment mean the same pods and port', () => {
    expect(labels['k8s-app']).toBe('canal-admin-api');
    const own = { 'k8s-app': 'canal-admin-api' };
    expect(deployment.selector).toEqual({ matchLabels: own });
    expect(objectOf('Service', 'canal-admin-api')['spec']).toEqual({
      selector: own,
      ports: [{ name: 'https', port: 443, targetPort: 'https' }],
    });
    expect(objectOf('NetworkPolicy', 'canal-admin-api')['spec']).toEqual({
      podSelector: { matchLabels: own },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'canal.io/admin-api-client': 'true' } } }],
          ports: [{ port: 'https' }],
        },
      ],
    });
    expect(container).toMatchObject({
      ports: [{ name: 'https', containerPort: 9443 }],
      livenessProbe: { httpGet: { scheme: 'HTTPS', port: 'https', path: '/livez' } },
      readinessProbe: { httpGet: { scheme: 'HTTPS', port: 'https', path: '/readyz' } },
    });
  });
});

/** As the kubelet sets them. */
function variablesOf({ env }: Container): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const { name: map, key = '' } = valueFrom?.configMapKeyRef ?? {};
      return [name, value ?? (map === 'canal-config' ? (config[key] ?? '') : 'node-1')];
    }),
  );
}

describe('our programs take it', () => {
  test('flanneld its arguments and variables; probes ask where it serves', () => {
    const [program, ...args] = agent.args;
    expect(program).toBe('flanneld');
    const command = parseFlanneldCommand(args, variablesOf(agent));
    if (command.type !== 'run') throw new Error(JSON.stringify(command));
    expect(command.warnings).toEqual([]);
    expect(command.config.node).toEqual({ type: 'name', name: 'node-1' });
    const { health } = command.config;
    for (const probe of [agent.livenessProbe, agent.readinessProbe]) {
      expect(probe?.httpGet).toMatchObject({ host: '127.0.0.1', port: health?.port });
    }
    expect(config['healthz-ip']).toBe('127.0.0.1');
    expect(command.config.policySocket).toBe(DEFAULT_POLICY_SOCKET);
    expect(command.config.nodeSocket).toBe(NODE_AGENT_SOCKET);
    expect(command.config.nodeApi?.port).toBe(NODE_API_PORTS.flanneld);
  });

  test('docs/install.md takes network policy away by the places of a flag and a container', () => {
    const places = [
      ...readFileSync(join(ROOT, 'docs/install.md'), 'utf8').matchAll(/containers\/(\d)(?:\/args\/(\d))?,? /g),
    ];
    expect(places.map(([, container, arg]) => [container, arg])).toEqual([
      ['0', '7'],
      ['0', '7'],
      ['1', undefined],
    ]);
    expect([agent.args[7], policyAgent.name]).toEqual([`--policy-socket=${DEFAULT_POLICY_SOCKET}`, 'policy-agent']);
  });

  test('policy-agent its own, with the socket that flanneld and the plugin ask', () => {
    const [program, ...args] = policyAgent.args;
    expect(program).toBe('policy-agent');
    const command = parsePolicyAgentCommand(args, variablesOf(policyAgent));
    if (command.type !== 'run') throw new Error(JSON.stringify(command));
    expect(command.warnings).toEqual([]);
    const { node, socket, health, netConfPath, cniStateDir, nodeApi } = command.config;
    expect(nodeApi?.port).toBe(NODE_API_PORTS['policy-agent']);
    expect({ node, socket, netConfPath, cniStateDir }).toEqual({
      node: { type: 'name', name: 'node-1' },
      socket: DEFAULT_POLICY_SOCKET,
      netConfPath: '/etc/canal/net-conf.json',
      cniStateDir: '/var/lib/canal',
    });
    for (const probe of [policyAgent.livenessProbe, policyAgent.readinessProbe]) {
      expect(probe?.httpGet).toMatchObject({ host: '127.0.0.1', port: health?.port });
    }
    expect(health?.port).not.toBe(agent.livenessProbe?.httpGet.port);
  });

  test('net-conf.json', () => {
    expect(parseNetConf(config['net-conf.json'] ?? '')).toMatchObject({ ok: true, value: { warnings: [] } });
  });

  test('cni-conf.json is the conflist that is shipped by itself', () => {
    const shipped = readFileSync(join(ROOT, 'deploy/cni/10-canal.conflist'), 'utf8');
    expect(config['cni-conf.json']).toBe(shipped);
    const list = parseConfList(shipped);
    expect(list).toMatchObject({ ok: true, value: { name: 'canal', cniVersion: '1.1.0' } });
    expect(list.ok && list.value.plugins[0]?.raw['policy']).toBe('required');
  });
});

describe('rendering', () => {
  const source =
    '# why\nkind: A\nmetadata:\n  name: a\nspec:\n  # which\n  image: x # here\n---\nkind: B\nmetadata:\n  name: b\n';

  test('values are kustomize’s; comments and the order of keys are the source’s', () => {
    const rendered =
      'kind: A\nmetadata:\n  labels: {v: 1}\n  name: a\nspec:\n  image: x:2\n---\nkind: B\nmetadata: {name: b}\n';
    expect(mergeManifest(source, rendered)).toBe(
      '# why\nkind: A\nmetadata:\n  name: a\n  labels:\n    v: 1\nspec:\n  # which\n  image: x:2 # here\n---\nkind: B\nmetadata:\n  name: b\n',
    );
  });

  test.each([
    ['an object that no source has', 'kind: C\nmetadata: {name: c}\n', 'C c is in no file'],
    ['a field that kustomize removed', 'kind: A\nmetadata: {name: a}\nspec: {}\n', 'taken something away'],
  ])('refuses %s', (_title, rendered, message) => {
    expect(() => mergeManifest(source, rendered)).toThrow(message);
  });
});
