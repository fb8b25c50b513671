import { beforeAll, describe, expect, test } from 'vitest';

import { causeFields, type Json, member, nameOf } from './api-client.ts';
import type { ContractContext } from './context.ts';
import { eventually } from './eventually.ts';

/**
 * What an object may hold. Unknown fields are refused because the suite asks for `fieldValidation=Strict`
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level); values by the
 * validation of each kind.
 */
export function describeFields(context: ContractContext): void {
  describeNetworkPolicies(context);
  describeNodes(context);
  describeNames(context);
  describeNamespaces(context);
}

function describeNetworkPolicies(context: ContractContext): void {
  let path = '';
  beforeAll(async () => {
    path = `/apis/networking.k8s.io/v1/namespaces/${await context.api().namespace()}/networkpolicies`;
  });
  const policy = (spec: Json): Json => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { generateName: 'p-' },
    spec,
  });
  const ingress = (rule: Json): Json => ({ podSelector: {}, ingress: [rule] });

  describe('unknown fields of a network policy are refused by name', () => {
    test.each([
      { field: 'spec.podSelectors', spec: { podSelectors: { matchLabels: { a: 'b' } } } },
      { field: 'spec.podSelector.matchLabel', spec: { podSelector: { matchLabel: { a: 'b' } } } },
      { field: 'spec.podSelector.app', spec: { podSelector: { app: 'a' } } },
      { field: 'spec.ingres', spec: { podSelector: {}, ingres: [] } },
      { field: 'spec.from', spec: { podSelector: {}, from: [{ podSelector: {} }] } },
      { field: 'spec.ingress[0].form', spec: ingress({ form: [{ podSelector: {} }] }) },
      { field: 'spec.ingress[0].to', spec: ingress({ to: [{ podSelector: {} }] }) },
      { field: 'spec.ingress[0].from[0].podselector', spec: ingress({ from: [{ podselector: {} }] }) },
      {
        field: 'spec.ingress[0].from[0].namespaceSelector.matchLables',
        spec: ingress({ from: [{ namespaceSelector: { matchLables: { a: 'b' } } }] }),
      },
      {
        field: 'spec.ingress[0].from[0].ipBlock.excepts',
        spec: ingress({ from: [{ ipBlock: { cidr: '10.0.0.0/8', excepts: [] } }] }),
      },
      { field: 'spec.ingress[0].ports[0].ports', spec: ingress({ ports: [{ ports: 80 }] }) },
    ])('$field', async ({ field, spec }) => {
      const { status, body } = await context.api().post(path, policy(spec));
      expect([status, body['kind'], body['reason']]).toEqual([400, 'Status', 'BadRequest']);
      expect(String(body['message'])).toContain(`unknown field "${field}"`);
    });

    test('also in an update and in a patch', async () => {
      const created = await context.api().create(path, policy({ podSelector: {} }));
      const own = `${path}/${nameOf(created)}`;
      const wrong = { ...created, spec: { ...member(created, 'spec'), podSelectors: {} } };
      expect((await context.api().put(own, wrong)).status).toBe(400);
      // A patch is judged by its result, and refused as one or the other.
      expect([400, 422]).toContain((await context.api().patch(own, { spec: { podSelectors: {} } })).status);
    });
  });

  describe('fields of another type are refused', () => {
    test.each([
      { what: 'a port as a list', spec: ingress({ ports: [{ port: [80] }] }) },
      { what: 'a peer as a string', spec: ingress({ from: ['10.0.0.0/8'] }) },
      { what: 'a selector as a list', spec: { podSelector: [] } },
      { what: 'a label value as a number', spec: { podSelector: { matchLabels: { a: 1 } } } },
      { what: 'endPort as a string', spec: ingress({ ports: [{ port: 80, endPort: '90' }] }) },
    ])('$what', async ({ spec }) => {
      expect((await context.api().post(path, policy(spec))).status).toBe(400);
    });
  });

  describe('wrong values are 422 and name their field', () => {
    test.each([
      { field: 'spec.ingress[0].from[0]', spec: ingress({ from: [{}] }) },
      {
        field: 'spec.ingress[0].from[0]',
        spec: ingress({ from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] }),
      },
      {
        field: 'spec.ingress[0].from[0].ipBlock.cidr',
        spec: ingress({ from: [{ ipBlock: { cidr: '10.0.0.256/8' } }] }),
      },
      { field: 'spec.ingress[0].from[0].ipBlock.cidr', spec: ingress({ from: [{ ipBlock: { cidr: '10.0.0.1' } }] }) },
      {
        field: 'spec.ingress[0].from[0].ipBlock.except[0]',
        spec: ingress({ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }),
      },
      {
        field: 'spec.ingress[0].from[0].ipBlock.except[0]',
        spec: ingress({ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }] }),
      },
      { field: 'spec.ingress[0].ports[0].protocol', spec: ingress({ ports: [{ protocol: 'ICMP', port: 1 }] }) },
      { field: 'spec.ingress[0].ports[0].port', spec: ingress({ ports: [{ port: 0 }] }) },
      { field: 'spec.ingress[0].ports[0].port', spec: ingress({ ports: [{ port: 65_536 }] }) },
      { field: 'spec.ingress[0].ports[0].port', spec: ingress({ ports: [{ port: 'Not_A_Name' }] }) },
      { field: 'spec.ingress[0].ports[0].endPort', spec: ingress({ ports: [{ port: 90, endPort: 80 }] }) },
      { field: 'spec.ingress[0].ports[0].endPort', spec: ingress({ ports: [{ port: 'http', endPort: 80 }] }) },
      { field: 'spec.ingress[0].ports[0].endPort', spec: ingress({ ports: [{ endPort: 80 }] }) },
      { field: 'spec.podSelector.matchLabels', spec: { podSelector: { matchLabels: { 'a b': 'c' } } } },
      {
        field: 'spec.podSelector.matchExpressions[0].operator',
        spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Is', values: ['b'] }] } },
      },
      {
        field: 'spec.podSelector.matchExpressions[0].values',
        spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
      },
      {
        field: 'spec.podSelector.matchExpressions[0].values',
        spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } },
      },
      { field: 'spec.policyTypes[0]', spec: { podSelector: {}, policyTypes: ['Inwards'] } },
    ])('$field: $spec', async ({ field, spec }) => {
      const answer = await context.api().post(path, policy(spec));
      expect([answer.status, answer.body['reason']]).toEqual([422, 'Invalid']);
      expect(causeFields(answer).filter((cause) => isAt(cause, field))).not.toEqual([]);
    });
  });

  describe('defaults', () => {
    test.each([
      { what: 'without egress rules a policy is about ingress', spec: { podSelector: {} }, types: ['Ingress'] },
      { what: 'with egress rules about both', spec: { podSelector: {}, egress: [{}] }, types: ['Ingress', 'Egress'] },
      {
        what: 'unless it says',
        spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{}] },
        types: ['Egress'],
      },
    ])('$what', async ({ spec, types }) => {
      expect(member(await context.api().create(path, policy(spec)), 'spec')['policyTypes']).toEqual(types);
    });

    test('a port is a TCP port, also one without a number', async () => {
      const created = await context
        .api()
        .create(path, policy(ingress({ ports: [{ port: 80 }, {}, { protocol: 'UDP', port: 53 }] })));
      expect(member(created, 'spec')['ingress']).toEqual([
        { ports: [{ port: 80, protocol: 'TCP' }, { protocol: 'TCP' }, { port: 53, protocol: 'UDP' }] },
      ]);
    });

    test('an empty selector stays a selector', async () => {
      const created = await context.api().create(path, policy(ingress({ from: [{ namespaceSelector: {} }] })));
      expect(member(created, 'spec')['ingress']).toEqual([{ from: [{ namespaceSelector: {} }] }]);
    });
  });

  test('generation counts changes of spec alone', async () => {
    const created = await context.api().create(path, policy({ podSelector: {} }));
    const own = `${path}/${nameOf(created)}`;
    const generation = async (patch: Json): Promise<unknown> =>
      member((await context.api().patch(own, patch)).body, 'metadata')['generation'];
    expect(await generation({ metadata: { labels: { a: 'b' } } })).toBe(1);
    expect(await generation({ spec: { policyTypes: ['Egress'] } })).toBe(2);
    expect(await generation({ spec: { policyTypes: ['Egress'] } })).toBe(2);
  });
}

function describeNodes(context: ContractContext): void {
  async function withNode(spec: Json, use: (path: string, node: Json) => Promise<void>): Promise<void> {
    const node = await context.api().create('/api/v1/nodes', { metadata: { generateName: 'contract-' }, spec });
    const path = `/api/v1/nodes/${nameOf(node)}`;
    await use(path, node);
    await context.api().delete(path);
  }

  describe('the subnet of a node', () => {
    test('given as podCIDR fills podCIDRs', async () => {
      await withNode({ podCIDR: '10.99.1.0/24' }, (_, node) => {
        expect(node['spec']).toMatchObject({ podCIDR: '10.99.1.0/24', podCIDRs: ['10.99.1.0/24'] });
        return Promise.resolve();
      });
    });

    test('can be given later, and not changed then', async () => {
      await withNode({}, async (path) => {
        const given = await context
          .api()
          .patch(path, { spec: { podCIDR: '10.99.2.0/24', podCIDRs: ['10.99.2.0/24'] } });
        expect(given.status).toBe(200);
        const moved = await context
          .api()
          .patch(path, { spec: { podCIDR: '10.99.3.0/24', podCIDRs: ['10.99.3.0/24'] } });
        expect([moved.status, moved.body['reason']]).toEqual([422, 'Invalid']);
      });
    });

    test.each([
      { what: 'no CIDR', podCIDRs: ['10.99.1.1'] },
      { what: 'two of one family', podCIDRs: ['10.99.1.0/24', '10.99.2.0/24'] },
    ])('is refused when it is $what', async ({ podCIDRs }) => {
      const node = { metadata: { generateName: 'contract-' }, spec: { podCIDR: podCIDRs[0], podCIDRs } };
      expect((await context.api().post('/api/v1/nodes', node)).status).toBe(422);
    });
  });
}

function describeNames(context: ContractContext): void {
  describe('names and labels', () => {
    test.each([
      { what: 'upper case', metadata: { name: 'Upper' }, field: 'metadata.name' },
      { what: 'an underscore', metadata: { name: 'a_b' }, field: 'metadata.name' },
      { what: 'a leading dash', metadata: { name: '-a' }, field: 'metadata.name' },
      { what: '254 characters', metadata: { name: 'a'.repeat(254) }, field: 'metadata.name' },
      { what: 'a label key with a blank', metadata: { name: 'a', labels: { 'a b': 'c' } }, field: 'metadata.labels' },
      { what: 'a label value of 64', metadata: { name: 'a', labels: { a: 'b'.repeat(64) } }, field: 'metadata.labels' },
      {
        what: 'an annotation key with two slashes',
        metadata: { name: 'a', annotations: { 'a/b/c': '' } },
        field: 'metadata.annotations',
      },
    ])('$what is refused', async ({ metadata, field }) => {
      const answer = await context.api().post('/api/v1/nodes', { metadata });
      expect([answer.status, answer.body['reason']]).toEqual([422, 'Invalid']);
      expect(causeFields(answer).filter((cause) => isAt(cause, field))).not.toEqual([]);
    });

    test('a nameless object is refused', async () => {
      const answer = await context.api().post('/api/v1/nodes', { metadata: {} });
      expect(answer.status).toBe(422);
    });

    test('unknown fields of metadata are refused', async () => {
      const { status, body } = await context.api().post('/api/v1/nodes', { metadata: { name: 'a', label: {} } });
      expect(status).toBe(400);
      expect(String(body['message'])).toContain('unknown field "metadata.label"');
    });
  });
}

function describeNamespaces(context: ContractContext): void {
  describe('namespaces', () => {
    test('carry their name as a label, whatever is written', async () => {
      const name = await context.api().namespace();
      const path = `/api/v1/namespaces/${name}`;
      const label = async (): Promise<unknown> =>
        member(member((await context.api().get(path)).body, 'metadata'), 'labels')['kubernetes.io/metadata.name'];
      expect(await label()).toBe(name);
      await context.api().patch(path, { metadata: { labels: { 'kubernetes.io/metadata.name': 'other' } } });
      expect(await label()).toBe(name);
    });

    test('are Active, and default is there', async () => {
      const { body } = await context.api().get('/api/v1/namespaces/default');
      expect(body).toMatchObject({ kind: 'Namespace', status: { phase: 'Active' } });
    });

    test('take their contents with them', async ({ skip }) => {
      if (!context.subject().emptiesNamespaces) return skip('nothing empties namespaces on this subject');
      const name = await context.api().namespace();
      const content = `/api/v1/namespaces/${name}/configmaps`;
      await context.api().create(content, { metadata: { name: 'a' } });
      expect((await context.api().delete(`/api/v1/namespaces/${name}`)).status).toBe(200);
      await eventually(async () => (await context.api().get(`${content}/a`)).status, 404);
      await eventually(async () => (await context.api().get(`/api/v1/namespaces/${name}`)).status, 404);
      expect((await context.api().post(content, { metadata: { name: 'b' } })).status).toBe(404);
    });
  });
}

/** Of a map, the cause may name the entry or the map. */
function isAt(cause: string, field: string): boolean {
  return cause === field || cause.startsWith(`${field}[`);
}
