import { createCertificateAuthority } from '@canal/certificate';
import { createEmbeddedServer } from '@canal/store-embedded';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Kubectl } from './kubectl.ts';
import { startRealApiServer } from './real-api-server.ts';

/**
 * What a user does with kubectl, against the embedded server and, so that it does not drift, with CANAL_E2E_ALL=1 against a
 * kube-apiserver too.
 */
const SUBJECTS = [
  { name: 'embedded server', start: startEmbedded, serverSideApply: false },
  ...(process.env['CANAL_E2E_ALL'] === '1'
    ? [{ name: 'kube-apiserver', start: (): Promise<Served> => startRealApiServer(), serverSideApply: true }]
    : []),
];

interface Served {
  readonly url: string;
  readonly ca: string;
  readonly adminToken: string;
  close(): Promise<void>;
}

function startEmbedded(): Promise<Served> {
  const authority = createCertificateAuthority();
  const { certPem: cert, keyPem: key } = authority.issueServer({ hosts: ['127.0.0.1'] });
  const adminToken = 'kubectl-of-the-test';
  const server = createEmbeddedServer({ tokens: [{ token: adminToken, user: 'admin' }] });
  const { url } = server.listen({ hostname: '127.0.0.1', tls: { cert, key } });
  return Promise.resolve({ url, ca: authority.certPem, adminToken, close: () => server.close() });
}

describe.each(SUBJECTS)('kubectl and the $name', ({ start, serverSideApply }) => {
  let server: Served;
  let kubectl: Kubectl;
  beforeAll(async () => {
    server = await start();
    kubectl = await Kubectl.create(server);
  }, 90_000);
  afterAll(async () => {
    (kubectl as Kubectl | undefined)?.close();
    await (server as Served | undefined)?.close();
  });
  const get = async (path: string, what: string): Promise<string> =>
    await kubectl.ok(`get ${what} -o jsonpath={${path}}`);

  test('api-resources, version and explain', async () => {
    expect(await kubectl.ok('api-resources')).toMatch(
      /^networkpolicies +netpol +networking.k8s.io\/v1 +true +NetworkPolicy$/m,
    );
    expect(await kubectl.ok('version')).toMatch(/Server Version: v1\.36\./);
    expect(await kubectl.ok('explain networkpolicy.spec.ingress.from')).toMatch(/ipBlock\s+<IPBlock>/);
    expect(await kubectl.ok('explain crd.spec.versions --recursive')).toMatch(/openAPIV3Schema\s+<JSONSchemaProps>/);
  });

  test('client-side apply: creates, keeps what is not its own, removes what it no longer names', async () => {
    const create = await kubectl.ok('apply -f -', { stdin: manifest('80', { a: '1', b: '2' }) });
    expect(create.trim().split('\n')).toEqual([
      'networkpolicy.networking.k8s.io/apply created',
      'configmap/apply created',
      'service/apply created',
    ]);
    const versionsNow = (): Promise<string> =>
      get('.items[*].metadata.resourceVersion', 'netpol,cm,svc -l suite=apply');
    const before = await versionsNow();
    await kubectl.ok('apply -f -', { stdin: manifest('80', { a: '1', b: '2' }) });
    expect(await versionsNow(), 'the same again changes nothing').toBe(before);
    await kubectl.ok('label cm apply own=yes');
    expect((await kubectl.run(['diff', '-f', '-'], { stdin: manifest('81', { a: '3' }) })).code, 'differs').toBe(1);
    expect(await get('.data', 'cm apply'), 'diff changes nothing').toBe('{"a":"1","b":"2"}');
    await kubectl.ok('apply -f -', { stdin: manifest('81', { a: '3' }) });
    expect(await get('.data', 'cm apply')).toBe('{"a":"3"}');
    expect(await get('.metadata.labels.own', 'cm apply')).toBe('yes');
    expect(await get('.spec.ports[*].port', 'svc apply')).toBe('81 443');
    expect(await get('.spec.ingress[0].ports[0].port', 'netpol apply')).toBe('81');
    await kubectl.ok('delete -f -', { stdin: manifest('81', {}) });
    expect((await kubectl.run(['get', 'cm', 'apply'])).stderr).toContain('configmaps "apply" not found');
  });

  test('server-side apply works, or is refused with what works', async () => {
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ssa' }, data: { a: '1' } });
    const { code, stdout, stderr } = await kubectl.run(['apply', '--server-side', '-f', '-'], { stdin });
    if (serverSideApply) expect([code, stdout]).toEqual([0, 'configmap/ssa serverside-applied\n']);
    else {
      expect(code).toBe(1);
      expect(stderr).toContain('Server-side apply not available on the server');
      expect(stderr).toContain('kubectl apply without --server-side works');
      expect((await kubectl.run(['get', 'cm', 'ssa'])).code).toBe(1);
    }
  });

  test('get: tables, JSON, selectors, names; what is not there', async () => {
    for (const name of ['one', 'two']) {
      await kubectl.ok('create -f -', { stdin: node(name) });
    }
    expect(await kubectl.ok('get nodes -l suite=get')).toMatch(/^NAME +STATUS .*\none +Unknown .*\ntwo +Unknown/);
    expect(await kubectl.ok('get nodes -l suite=get,which!=one -o name')).toBe('node/two\n');
    expect(await kubectl.ok('get nodes -l suite=get --field-selector metadata.name=one -o name')).toBe('node/one\n');
    const list = JSON.parse(await kubectl.ok('get nodes -l suite=get -o json')) as { kind: string; items: unknown[] };
    expect([list.kind, list.items.length]).toEqual(['List', 2]);
    expect(await kubectl.ok('get node one -o yaml')).toContain('podCIDR: 10.88.1.0/24');
    expect(await kubectl.ok('get cm -A --no-headers -l suite=none')).toBe('');
    expect(await kubectl.ok('describe node one')).toMatch(/^PodCIDR: +10\.88\.1\.0\/24$/m);
    const absent = await kubectl.run(['get', 'node', 'absent']);
    expect([absent.code, absent.stderr]).toEqual([1, 'Error from server (NotFound): nodes "absent" not found\n']);
    await kubectl.ok('delete node -l suite=get');
    expect(await kubectl.ok('get nodes -l suite=get -o name')).toBe('');
  });

  test('get -w shows what changes', async () => {
    await kubectl.ok('create -f -', { stdin: configMap('watched', { k: '1' }) });
    const shown = Promise.withResolvers<undefined>();
    const onOutput = (stdout: string): void => {
      if (stdout.includes('ADDED')) shown.resolve(undefined);
    };
    const watching = kubectl.run(
      ['get', 'cm', 'watched', '-w', '--output-watch-events', '-o', 'jsonpath={.type} {.object.data.k}{"\\n"}'],
      { until: 'DELETED', onOutput },
    );
    await Promise.race([shown.promise, watching]);
    await kubectl.ok('patch cm watched -p {"data":{"k":"2"}}');
    await kubectl.ok('delete cm watched');
    expect((await watching).stdout.trim().split('\n')).toEqual(['ADDED 1', 'MODIFIED 2', 'DELETED 2']);
  });

  test('label and annotate: add, refuse to overwrite, overwrite, remove', async () => {
    await kubectl.ok('create -f -', { stdin: configMap('marked', {}) });
    for (const verb of ['label', 'annotate']) {
      const field = verb === 'label' ? '.metadata.labels' : '.metadata.annotations';
      await kubectl.ok(`${verb} cm marked a=1 b=2`);
      expect((await kubectl.run([verb, 'cm', 'marked', 'a=2'])).code).toBe(1);
      await kubectl.ok(`${verb} cm marked a=2 --overwrite`);
      await kubectl.ok(`${verb} cm marked b-`);
      expect(await get(`${field}.a`, 'cm marked')).toBe('2');
      expect(await get(`${field}.b`, 'cm marked')).toBe('');
    }
    await kubectl.ok('delete cm marked');
  });

  test('patch in three ways, edit and replace', async () => {
    await kubectl.ok('create -f -', { stdin: configMap('patched', { a: '1' }) });
    expect(await kubectl.ok('patch cm patched -p {"data":{"b":"1"}}')).toBe('configmap/patched patched\n');
    await kubectl.ok('patch cm patched --type=json -p [{"op":"add","path":"/data/c","value":"1"}]');
    await kubectl.ok('patch cm patched --type=merge -p {"data":{"a":null}}');
    expect(await get('.data', 'cm patched')).toBe('{"b":"1","c":"1"}');
    await kubectl.ok('edit cm patched', { env: { KUBE_EDITOR: 'sed -i s/b:/d:/' } });
    expect(await get('.data', 'cm patched')).toBe('{"c":"1","d":"1"}');
    await kubectl.ok('replace -f -', { stdin: configMap('patched', { only: '1' }) });
    expect(await get('.data', 'cm patched')).toBe('{"only":"1"}');
    const wrong = await kubectl.run(['patch', 'cm', 'patched', '-p', '{"date":{"a":"1"}}']);
    expect(await get('.data', 'cm patched')).toBe('{"only":"1"}');
    expect(wrong.stderr + wrong.stdout).toMatch(/unknown field "date"|no change/);
    await kubectl.ok('delete cm patched');
  });

  test('nodes: cordon, taint, status and wait', async () => {
    await kubectl.ok('create -f -', { stdin: node('three') });
    await kubectl.ok('cordon three');
    await kubectl.ok('taint node three own=yes:NoSchedule');
    expect(await get('.spec.unschedulable', 'node three')).toBe('true');
    expect(await get('.spec.taints[*].key', 'node three')).toContain('own');
    await kubectl.ok('uncordon three');
    expect(await get('.spec.unschedulable', 'node three')).toBe('');
    const status = '{"status":{"conditions":[{"type":"Ready","status":"True","reason":"r","message":"m"}]}}';
    await kubectl.ok(`patch node three --subresource=status -p ${status}`);
    await kubectl.ok('wait --for=condition=Ready node/three --timeout=5s');
    await kubectl.ok('delete node three');
    await kubectl.ok('wait --for=delete node/three --timeout=5s');
  });

  test('custom kinds: apply, wait, explain', async () => {
    await kubectl.ok('apply -f -', { stdin: DEFINITION });
    await kubectl.ok('wait --for=condition=Established crd/rules.kubectl.example --timeout=10s');
    const rule = (order: number): string =>
      JSON.stringify({ apiVersion: 'kubectl.example/v1', kind: 'Rule', metadata: { name: 'r' }, spec: { order } });
    await eventually(() => kubectl.ok('apply -f -', { stdin: rule(1) }));
    await kubectl.ok('apply -f -', { stdin: rule(2) });
    expect(await get('.spec.order', 'rule r')).toBe('2');
    const wrong = await kubectl.run(['apply', '-f', '-'], { stdin: rule(2).replace('order', 'oder') });
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('unknown field "spec.oder"')]);
    await eventually(async () => {
      expect(await kubectl.ok('explain rule.spec')).toMatch(/order\s+<integer>/);
    });
    await kubectl.ok('delete crd rules.kubectl.example');
  });

  test('what cannot be is refused, and nothing is stored', async () => {
    const bad = manifest('80', {}).replace('"podSelector"', '"podSelectors"');
    const { code, stderr } = await kubectl.run(['apply', '-f', '-'], { stdin: bad });
    expect(code).toBe(1);
    expect(stderr).toContain('unknown field "spec.podSelectors"');
    expect((await kubectl.run(['get', 'netpol', 'apply'])).code).toBe(1);
    await kubectl.ok('delete cm,svc -l suite=apply');
  });
});

function manifest(port: string, data: Readonly<Record<string, string>>): string {
  const metadata = { name: 'apply', namespace: 'default', labels: { suite: 'apply' } };
  const objects = [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: Number(port) }] }] },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        clusterIP: 'None',
        selector: { app: 'a' },
        ports: [
          { name: 'http', port: Number(port) },
          { name: 'https', port: 443 },
        ],
      },
    },
  ];
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

function configMap(name: string, data: Readonly<Record<string, string>>): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data });
}

function node(name: string): string {
  const podCIDR = `10.88.${{ one: '1', two: '2' }[name] ?? '3'}.0/24`;
  const metadata = { name, labels: { suite: 'get', which: name } };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata, spec: { podCIDR } });
}

const DEFINITION = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'rules.kubectl.example' },
  spec: {
    group: 'kubectl.example',
    scope: 'Namespaced',
    names: { plural: 'rules', singular: 'rule', kind: 'Rule' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { order: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
});

/** A server publishes a new kind within seconds. */
async function eventually(work: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
