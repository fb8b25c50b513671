import fc from 'fast-check';
import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { parsePolicyNamespace, parsePolicyPod, POLICY_POD_FIELDS } from './policy-pod.ts';

const POD = {
  metadata: {
    namespace: 'shop',
    name: 'web-1',
    uid: 'u1',
    labels: { app: 'web' },
    creationTimestamp: '2026-11-21T10:00:00Z',
    annotations: { big: 'x' },
  },
  spec: {
    nodeName: 'n1',
    containers: [
      { name: 'a', ports: [{ name: 'http', containerPort: 8080 }, { containerPort: 9 }] },
      { name: 'b', ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] },
      { name: 'c' },
    ],
    initContainers: [{ name: 'i', restartPolicy: 'Always', ports: [{ name: 'metrics', containerPort: 9100 }] }],
  },
  status: { phase: 'Running', podIP: '10.1.0.5', podIPs: [{ ip: '10.1.0.5' }, { ip: 'fd00::5' }] },
};

/** The pod with some paths changed: `{'spec.nodeName': 'x'}`. */
function pod(changes: Record<string, unknown>): unknown {
  const copy = structuredClone(POD) as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('.');
    const last = steps.pop()!;
    let at = copy;
    for (const step of steps) at = at[step] as Record<string, unknown>;
    at[last] = value;
  }
  return copy;
}

const ips = (...texts: string[]): unknown => texts.map((text) => unwrap(parseIp(text)));

test('the fields that policy uses', () => {
  expect(unwrapText(parsePolicyPod(POD))).toEqual({
    namespace: 'shop',
    name: 'web-1',
    uid: 'u1',
    labels: { app: 'web' },
    addresses: ips('10.1.0.5', 'fd00::5'),
    node: 'n1',
    hostNetwork: false,
    completed: false,
    ports: [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'metrics', protocol: 'TCP', port: 9100 },
    ],
    createdMs: Date.UTC(2026, 10, 21, 10),
  });
});

test.each([
  ['Pending', false],
  ['Running', false],
  ['Unknown', false],
  ['Succeeded', true],
  ['Failed', true],
  [null, false],
])('phase %s', (phase, completed) => {
  expect(unwrapText(parsePolicyPod(pod({ 'status.phase': phase }))).completed).toBe(completed);
});

test('a pod that is being deleted', () => {
  const deleting = { 'metadata.deletionTimestamp': '2026-11-21T10:00:30Z' };
  expect(unwrapText(parsePolicyPod(pod(deleting))).deleting).toBe(true);
  expect(unwrapText(parsePolicyPod(pod({ 'metadata.deletionTimestamp': null })))).not.toHaveProperty('deleting');
});

test('the mirror of a static pod has the uid that the runtime tells', () => {
  const annotations = { 'kubernetes.io/config.mirror': 'd41d8cd9', 'kubernetes.io/config.hash': 'd41d8cd9' };
  expect(unwrapText(parsePolicyPod(pod({ 'metadata.annotations': annotations }))).uid).toBe('d41d8cd9');
  expect(unwrapText(parsePolicyPod(pod({ 'metadata.annotations': { a: 'b' } }))).uid).toBe('u1');
  expect(unwrapText(parsePolicyPod(pod({ 'metadata.annotations': null }))).uid).toBe('u1');
});

test('a pod that is just made', () => {
  const young = { metadata: { namespace: 'shop', name: 'web-1' } };
  expect(unwrapText(parsePolicyPod(young))).toEqual({
    namespace: 'shop',
    name: 'web-1',
    uid: '',
    labels: {},
    addresses: [],
    node: '',
    hostNetwork: false,
    completed: false,
    ports: [],
    createdMs: 0,
  });
});

test.each([
  ['podIP alone', { 'status.podIPs': undefined }, ['10.1.0.5']],
  ['one unreadable address', { 'status.podIPs': [{ ip: '010.1.0.5' }, { ip: 'fd00::5' }] }, ['fd00::5']],
  ['the same twice', { 'status.podIPs': [{ ip: '10.1.0.5' }, { ip: '10.1.0.5' }] }, ['10.1.0.5']],
  ['nothing of use', { 'status.podIPs': [null, 5, {}], 'status.podIP': 5 }, []],
  ['no status', { status: null }, []],
])('addresses: %s', (_, changes, addresses) => {
  expect(unwrapText(parsePolicyPod(pod(changes))).addresses).toEqual(ips(...addresses));
});

test('a port is named by name, protocol and number, and what is none is left out', () => {
  const ports = [
    { name: 'a', containerPort: 1 },
    { name: 'a', containerPort: 1, protocol: 'TCP' },
    { name: 'a', containerPort: 2 },
    { name: 'a', containerPort: 1, protocol: 'SCTP' },
    { name: 'b', containerPort: 0 },
    { name: 'b', containerPort: '80' },
    { name: 'b', containerPort: 80, protocol: 'tcp' },
    { name: 5, containerPort: 80 },
    null,
  ];
  const value = unwrapText(
    parsePolicyPod(pod({ 'spec.containers': [{ ports }, null, { ports: {} }], 'spec.initContainers': 5 })),
  );
  expect(value.ports).toEqual([
    { name: 'a', protocol: 'TCP', port: 1 },
    { name: 'a', protocol: 'TCP', port: 2 },
    { name: 'a', protocol: 'SCTP', port: 1 },
  ]);
});

/** Any tenant may write such a pod, and every node of the cluster reads it: 25,000 fit into an object of 1.5 MB. */
test('a pod with many ports costs as much as they are, not their square', () => {
  const cost = (count: number): number => {
    const ports = Array.from({ length: count }, (_, index) => ({ name: `n${index}`, containerPort: 1 + index }));
    const many = pod({ 'spec.containers': [{ ports }], 'spec.initContainers': [] });
    const rounds = Array.from({ length: 20 }, () => {
      const before = process.cpuUsage();
      expect(unwrapText(parsePolicyPod(many)).ports).toHaveLength(count);
      // Both: the kernel tells them apart by its ticks alone.
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return Math.min(...rounds);
  };
  // What is compiled meanwhile, and memory that is collected, is of the first rounds.
  for (const count of [3000, 24_000]) cost(count);
  // Eight times as many; their square would be 64 times as much.
  expect(cost(24_000)).toBeLessThan(25 * Math.max(cost(3000), 1000));
});

test.each([
  ['metadata', { metadata: null }],
  ['metadata.namespace', { 'metadata.namespace': '' }],
  ['metadata.name', { 'metadata.name': 5 }],
  ['metadata.labels', { 'metadata.labels': ['a'] }],
  ['metadata.labels.app', { 'metadata.labels.app': null }],
  ['spec', { spec: 'x' }],
  ['spec.hostNetwork', { 'spec.hostNetwork': 'true' }],
])('%s must be readable', (field, changes) => {
  const result = parsePolicyPod(pod(changes));
  expect(result.ok ? '' : result.error).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')} is .*: expected .+$`));
});

test('a namespace', () => {
  expect(parsePolicyNamespace({ metadata: { name: 'shop', labels: { team: 'a' } } })).toEqual({
    ok: true,
    value: { name: 'shop', labels: { team: 'a' } },
  });
  expect(parsePolicyNamespace({ metadata: { name: 'shop' } })).toEqual({
    ok: true,
    value: { name: 'shop', labels: {} },
  });
  expect(parsePolicyNamespace({ metadata: { labels: {} } })).toMatchObject({ ok: false });
  expect(parsePolicyNamespace(null)).toMatchObject({ ok: false });
});

/** What is in the tree, lists passed through: what a store may reduce an object to. */
function only(fields: object, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => only(fields, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, tree]: [string, unknown]) => {
      const inner = (value as Record<string, unknown>)[name];
      return inner === undefined ? [] : [[name, tree === true ? inner : only(tree as object, inner)]];
    }),
  );
}

test('reads nothing but what POLICY_POD_FIELDS names', () => {
  const mirror = { 'metadata.annotations': { 'kubernetes.io/config.mirror': 'static', big: 'x' } };
  const host = { 'spec.hostNetwork': true, 'status.phase': 'Failed', 'status.podIPs': undefined };
  const deleting = { 'metadata.deletionTimestamp': '2026-11-21T10:00:30Z' };
  for (const object of [pod({}), pod(mirror), pod(host), pod(deleting)]) {
    const reduced = only(POLICY_POD_FIELDS, object);
    expect(JSON.stringify(reduced).length).toBeLessThan(JSON.stringify(object).length);
    expect(parsePolicyPod(reduced)).toEqual(parsePolicyPod(object));
    expect(parsePolicyPod(object)).toMatchObject({ ok: true });
  }
});

test('hostile input never throws', () => {
  const paths = [
    'metadata',
    'metadata.labels',
    'spec',
    'spec.containers',
    'spec.initContainers',
    'status',
    'status.podIPs',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      const result = parsePolicyPod(pod({ [path]: value }));
      expect(result.ok || result.error.length > 0).toBe(true);
      parsePolicyNamespace(pod({ [path]: value }));
    }),
    { numRuns: 2000 },
  );
});

function unwrapText<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  if (result.ok) return result.value;
  throw new Error(result.error);
}
