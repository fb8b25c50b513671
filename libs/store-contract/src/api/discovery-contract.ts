import { expect, test } from 'vitest';

import { isJson, type Json } from './api-client.ts';
import type { ContractContext } from './context.ts';

/** What clients ask before anything else. */
export function describeDiscovery(context: ContractContext): void {
  test.each(['/healthz', '/readyz', '/livez'])('%s answers ok', async (path) => {
    const response = await context.subject().fetch(path);
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
  });

  test('/version tells major, minor and gitVersion', async () => {
    const { status, body } = await context.api().get('/version');
    expect(status).toBe(200);
    expect(['major', 'minor', 'gitVersion'].map((field) => typeof body[field])).toEqual(['string', 'string', 'string']);
  });

  test('/api lists v1 and /apis the groups with their preferred version', async () => {
    expect((await context.api().get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const { body } = await context.api().get('/apis');
    expect(body['kind']).toBe('APIGroupList');
    const networking = listOf(body['groups']).find((group) => group['name'] === 'networking.k8s.io');
    expect(networking).toMatchObject({ preferredVersion: { groupVersion: 'networking.k8s.io/v1', version: 'v1' } });
  });

  test.each([
    { path: '/api/v1', name: 'nodes', kind: 'Node', namespaced: false },
    { path: '/api/v1', name: 'pods', kind: 'Pod', namespaced: true },
    { path: '/apis/networking.k8s.io/v1', name: 'networkpolicies', kind: 'NetworkPolicy', namespaced: true },
    { path: '/apis/coordination.k8s.io/v1', name: 'leases', kind: 'Lease', namespaced: true },
    { path: '/apis/discovery.k8s.io/v1', name: 'endpointslices', kind: 'EndpointSlice', namespaced: true },
  ])('$path lists $name with its verbs', async ({ path, name, kind, namespaced }) => {
    const { body } = await context.api().get(path);
    const resource = listOf(body['resources']).find((entry) => entry['name'] === name);
    expect(resource).toMatchObject({ kind, namespaced });
    const verbs = resource?.['verbs'];
    expect(verbs).toEqual(expect.arrayContaining(['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']));
  });

  test('nodes have a status subresource', async () => {
    const { body } = await context.api().get('/api/v1');
    expect(listOf(body['resources']).map((entry) => entry['name'])).toContain('nodes/status');
  });

  test('what is not served is a 404', async () => {
    expect((await context.api().get('/apis/no.such.group/v1/things')).status).toBe(404);
    expect((await context.api().get('/api/v1/nosuchthings')).status).toBe(404);
  });

  test('a request without credentials gets no objects', async () => {
    const response = await context.subject().fetchAnonymous('/api/v1/nodes');
    // 401; a server that knows an anonymous user forbids instead.
    expect([401, 403]).toContain(response.status);
    expect(await response.json()).toMatchObject({ kind: 'Status', status: 'Failure' });
  });

  test('a client that prefers tables gets one for a list', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const { body } = await context.api().get('/api/v1/namespaces', { Accept: accept });
    expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(listOf(body['columnDefinitions'])[0]).toMatchObject({ name: 'Name', format: 'name' });
    const row = listOf(body['rows']).find((entry) => Array.isArray(entry['cells']) && entry['cells'][0] === 'default');
    expect(row?.['object']).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'default' } });
  });
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}
