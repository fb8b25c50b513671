/** `apply` against the embedded API server: nothing is half applied, and what others changed is set back. */
import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, type KubeConnection, Secret } from '@canal/store-kube';
import { CONFIG_MAPS, NETWORK_POLICIES, type Store, StoreError } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApiClient } from './api-client.ts';
import { APPLY_DEFAULTS } from './apply-files.ts';
import { applyWish, inOrder, tryWishes, wishOf } from './apply.ts';
import { parseManifests } from './manifest.ts';

const CLOCK = { nowMs: () => performance.now(), sleep: (delayMs: number) => Bun.sleep(delayMs) };

let server: EmbeddedServer;
let store: Store;
let connection: KubeConnection;

beforeEach(() => {
  server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'admin' }] });
  const { url } = server.listen({ hostname: '127.0.0.1', port: 0 });
  connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('test') }) };
  store = createKubeStore({ connection, clock: CLOCK });
});
afterEach(async () => {
  await server.close();
});

async function apply(text: string): Promise<readonly string[]> {
  const client = createApiClient(connection, new AbortController().signal);
  const served = await client.discover();
  const wishes = inOrder(parseManifests(text, 'f.yaml').map((manifest) => wishOf(served, manifest, 'default')));
  await tryWishes(client, wishes, APPLY_DEFAULTS);
  const outcomes: string[] = [];
  for (const wish of wishes) {
    outcomes.push(`${wish.manifest.name} ${(await applyWish(client, wish, APPLY_DEFAULTS)).outcome}`);
  }
  return outcomes;
}

const CONFIG_MAP = `
apiVersion: v1
kind: ConfigMap
metadata: { name: first }
data: { a: "1" }
`;
const policy = (ingress: string, namespace = 'default'): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: ${namespace} }
spec: { podSelector: {}, policyTypes: [Ingress], ingress: ${ingress} }
`;

test.each<[string, string, string, RegExp]>([
  [
    'a field that cannot be',
    policy('[{ ports: [{ port: 70000 }] }]'),
    'invalid',
    /^f\.yaml:7: 422 .*70000.*nothing was/,
  ],
  ['a misspelt field', policy('[{ form: [] }]'), 'invalid', /f\.yaml:7: .*form.*nothing was changed$/],
  ['a namespace that is not there', policy('[]', 'nowhere'), 'not-found', /f\.yaml:7: .*nowhere.*nothing was changed$/],
])('%s in the last object: the first is not applied either', async (_name, bad, code, message) => {
  const error: unknown = await apply(`${CONFIG_MAP}---${bad}`).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
  expect(await store.get(CONFIG_MAPS, 'first', 'default')).toBeUndefined();
});

test('a change that cannot be leaves the others alone, too', async () => {
  await apply(`${CONFIG_MAP}---${policy('[]')}`);
  const changed = CONFIG_MAP.replace('"1"', '"2"');
  await expect(apply(`${changed}---${policy('[{ ports: [{ port: -1 }] }]')}`)).rejects.toThrow(/nothing was changed/);
  expect(await store.get(CONFIG_MAPS, 'first', 'default')).toMatchObject({ data: { a: '1' } });
});

test('a namespace and what is in it, in whatever order the file has them', async () => {
  const namespace = '\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n';
  expect(await apply(`${policy('[]', 'shop')}---${namespace}`)).toEqual(['shop created', 'web created']);
});

test('applied again it is unchanged, although the server has put its defaults into a list', async () => {
  const text = policy('[{ ports: [{ port: 80 }] }]');
  expect(await apply(text)).toEqual(['web created']);
  const live = await store.get(NETWORK_POLICIES, 'web', 'default');
  expect(live).toMatchObject({ spec: { ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] } });
  expect(await apply(text)).toEqual(['web unchanged']);
  expect(await store.get(NETWORK_POLICIES, 'web', 'default')).toEqual(live);
});

test('a peer that somebody widened is as narrow again as the file says', async () => {
  const text = policy('[{ from: [{ podSelector: { matchLabels: { app: api } } }] }]');
  await apply(text);
  const widened = [{ from: [{ podSelector: { matchLabels: { app: 'api' } }, namespaceSelector: {} }] }];
  await store.mergePatch(NETWORK_POLICIES, 'web', { spec: { ingress: widened } }, { namespace: 'default' });
  expect(await apply(text)).toEqual(['web configured']);
  const live = await store.get(NETWORK_POLICIES, 'web', 'default');
  expect(live?.['spec']).toMatchObject({ ingress: [{ from: [{ podSelector: { matchLabels: { app: 'api' } } }] }] });
  expect(JSON.stringify(live?.['spec'])).not.toContain('namespaceSelector');
});
