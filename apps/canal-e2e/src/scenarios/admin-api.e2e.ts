/** The admin API in its Deployment: what it tells of the nodes, whom it lets in, and whom their agents let in. */
import { ROLES } from '@canal/admin-schema';
import { expect } from 'vitest';
import {
  ADMIN_API,
  ADMIN_ROUTES,
  type AdminApiClient,
  type AdminRoute,
  openAdminApi,
  publishedAuthority,
  tokenOf,
} from '../admin-api-client.ts';
import { isolation, requestOfEachRoute, type RequestSubjects } from '../admin-requests.ts';
import { AGENT_NAMESPACE, allReady } from '../agents.ts';
import { containerMemory } from '../container-memory.ts';
import { eventually } from '../eventually.ts';
import type { Pod } from '../pods.ts';
import { expectProbes } from '../policy-probe.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';

const AUDIENCE = 'canal-admin-api';
const NODE_AUDIENCE = 'canal-node-api';
const PORT = 9443;
/** Agents' TLS, by name. */
const NODE_API_PORTS = { flanneld: 9098, 'policy-agent': 9099 } as const;
const LIMIT_MS = 120_000;

interface ApiPod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP: string;
    readonly containerStatuses: readonly { readonly restartCount: number; readonly ready: boolean }[];
  };
}

async function apiPods({ world }: ScenarioContext): Promise<readonly ApiPod[]> {
  const args = ['get', 'pods', '-n', AGENT_NAMESPACE, '-l', `k8s-app=${ADMIN_API}`, '-o', 'json'];
  return (JSON.parse((await world.kubectl(args)).stdout) as { readonly items: readonly ApiPod[] }).items;
}

async function isRolledOut({ world }: ScenarioContext): Promise<void> {
  const target = `deployment/${ADMIN_API}`;
  const args = ['rollout', 'status', '-n', AGENT_NAMESPACE, target, '--timeout=90s'];
  expect((await world.kubectl(args, { timeoutMs: 100_000 })).stdout).toContain('successfully rolled out');
}

type RouteId = AdminRoute['id'];

/** What a GET answers; fails unless it is 200 and as the route's schema says. */
async function read(api: AdminApiClient, id: RouteId, token: string, path?: string): Promise<unknown> {
  const route = routeOf(id);
  const { status, body } = await api.send({ path: path ?? route.path, token });
  expect([id, status, body]).toEqual([id, 200, body]);
  return parsed(route, body);
}

function routeOf(id: RouteId): AdminRoute {
  const route = ADMIN_ROUTES.find((one) => one.id === id);
  if (route === undefined) throw new Error(`no route ${id}`);
  return route;
}

function parsed({ id, answer }: AdminRoute, body: unknown): unknown {
  const result = answer.schema?.safeParse(body);
  if (result?.success !== true)
    throw new Error(`${id} answers what its schema does not know: ${result?.error.message}`);
  return result.data;
}

interface Page {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly partial: boolean;
  readonly missing: readonly unknown[];
}

async function readPage(api: AdminApiClient, id: RouteId, token: string, path?: string): Promise<Page> {
  const page = (await read(api, id, token, path)) as Page;
  expect([id, page.partial, page.missing]).toEqual([id, false, []]);
  return page;
}

/** A server that nobody may reach, and a client on another node that tries. */
async function isolatedServer({ world, pods }: ScenarioContext): Promise<{ server: Pod; client: Pod }> {
  const [first, second] = await world.nodes();
  const [server, client] = await pods.create([
    { name: 'server', ...(first && { node: first.name }), labels: { role: 'server' } },
    { name: 'client', ...(second && { node: second.name }) },
  ]);
  if (server === undefined || client === undefined) throw new Error('no pod');
  await pods.apply(isolation(server.namespace));
  const probe = {
    from: client,
    host: server.ip(),
    port: server.httpPort,
    protocol: 'tcp',
    expected: 'denied',
  } as const;
  await expectProbes('the server is isolated', [probe]);
  return { server, client };
}

scenario(
  'admin API: one Ready pod, with a certificate that clients can check',
  { limitMs: LIMIT_MS },
  async (context) => {
    const { world, note } = context;
    await isRolledOut(context);
    const pods = await apiPods(context);
    expect(pods.map(({ status }) => status.containerStatuses[0])).toMatchObject([{ restartCount: 0, ready: true }]);
    expect(await publishedAuthority(world)).toMatch(/^-----BEGIN CERTIFICATE-----\n[^]+-----END CERTIFICATE-----\n$/);
    await using api = await openAdminApi(world);
    expect((await api.send({ path: '/readyz' })).status).toBe(200);
    const node = pods[0]?.spec.nodeName;
    if (world.control === undefined || node === undefined) return;
    const memory = await containerMemory(world.control, node, AGENT_NAMESPACE);
    note('admin API', `${memory.find(({ container }) => container === 'admin-api')?.rssMb} MB resident`);
  },
);

scenario('admin API: canal-view reads facts of every node from its agents', { limitMs: LIMIT_MS }, async (context) => {
  const { world } = context;
  await isRolledOut(context);
  await allReady(world);
  const { server, client } = await isolatedServer(context);
  const nodes = (await world.nodes()).map(({ name }) => name);
  const token = await tokenOf(world, 'canal-view', AUDIENCE);
  await using api = await openAdminApi(world);

  await eventually(
    'all nodes to be ready',
    async () => {
      const { items } = await readPage(api, 'listNodes', token);
      expect(items.map(({ name, state }) => [name, state])).toEqual(nodes.map((name) => [name, 'ready']));
      return true;
    },
    { withinMs: 30_000 },
  );
  for (const node of nodes) {
    const { peers } = (await read(api, 'getNode', token, `/v1/nodes/${node}`)) as { peers: { node: string }[] };
    // One for each family.
    expect([...new Set(peers.map((peer) => peer.node))]).toEqual(nodes.filter((name) => name !== node));
  }
  const leases = await readPage(api, 'listLeases', token);
  expect([...new Set(leases.items.map(({ node }) => node))]).toEqual(nodes);

  const { namespace } = server;
  const policy = `${namespace}/e2e-isolation`;
  const endpoints = await readPage(api, 'listEndpoints', token, `/v1/endpoints?namespace=${namespace}`);
  for (const pod of [server, client]) {
    expect(endpoints.items).toContainEqual(
      expect.objectContaining({
        node: pod.node,
        addresses: pod.ips,
        pod: { namespace, name: pod.name },
        ingress: [policy],
      }),
    );
  }
  const policies = await readPage(api, 'listPolicies', token, `/v1/policies?namespace=${namespace}`);
  expect(policies.items).toMatchObject([{ namespace, name: 'e2e-isolation', selects: 2 }]);
  const pools = await readPage(api, 'listAddressPools', token);
  expect([...new Set(pools.items.map(({ node }) => node))]).toEqual(nodes);
  const addresses = await readPage(api, 'listAddresses', token, '/v1/ipam/addresses?limit=500');
  for (const { node, ips, name } of [server, client]) {
    for (const address of ips) {
      expect(addresses.items).toContainEqual(
        expect.objectContaining({ node, address, state: 'in-use', pod: { namespace, name } }),
      );
    }
  }
  await eventually(
    'the denied connection among the flows',
    async () => {
      const path = `/v1/flows?namespace=${namespace}&verdict=deny`;
      const { items } = await readPage(api, 'listFlows', token, path);
      const of = (pod: Pod): object => expect.objectContaining({ pod: { namespace, name: pod.name } }) as object;
      expect(items).toContainEqual(
        expect.objectContaining({
          node: server.node,
          source: of(client),
          destination: of(server),
          isolatedBy: [policy],
        }),
      );
      return true;
    },
    { withinMs: 20_000 },
  );
  const question = { source: `${namespace}/client`, destination: `${namespace}/server`, port: server.httpPort };
  const explained = await api.send({ method: 'POST', path: '/v1/explain', token, body: question });
  expect(parsed(routeOf('explain'), explained.body)).toMatchObject({
    verdict: 'deny',
    ingress: { policies: [policy] },
  });
});

scenario('admin API: each role may use its routes and no others', { limitMs: LIMIT_MS }, async (context) => {
  const { world, note } = context;
  await isRolledOut(context);
  await using api = await openAdminApi(world);
  const tokens = new Map<string, string>();
  for (const role of ROLES) tokens.set(role, await tokenOf(world, `canal-${role}`, AUDIENCE));
  const subjects = await subjectsOf(context, api, tokens.get('view') ?? '');
  // Known to Kubernetes, and with no role; and canal-admin's own, made for the API server.
  tokens.set('stranger', await tokenOf(world, 'default', AUDIENCE));
  tokens.set('wrong audience', await tokenOf(world, 'canal-admin'));
  tokens.set('made up', 'A'.repeat(40));

  const wrong: string[] = [];
  let [allowed, refused] = [0, 0];
  for (const { route, request, answered } of requestOfEachRoute(subjects)) {
    for (const [who, token] of [...tokens, ['nobody', undefined] as const]) {
      const { status, body } = await api.send({ ...request, ...(token !== undefined && { token }) });
      const expected = expectedStatus(who, route, answered);
      if (status === answered) allowed++;
      else refused++;
      if (status !== expected) wrong.push(`${who} ${route.id}: ${status}, not ${expected}: ${JSON.stringify(body)}`);
      else if (status === 200 && route.answer.stream !== true) parsed(route, body);
    }
  }
  note('role × route', `${allowed} allowed, ${refused} refused`);
  expect(wrong).toEqual([]);
});

async function subjectsOf({ world }: ScenarioContext, api: AdminApiClient, token: string): Promise<RequestSubjects> {
  const [node] = await world.nodes();
  const { headers, body } = await api.send({ path: routeOf('getNetConf').path, token });
  const endpoints = await readPage(api, 'listEndpoints', token);
  const pod = endpoints.items.find((endpoint) => endpoint['pod'] !== undefined)?.['pod'];
  const { namespace, name } = pod as { readonly namespace: string; readonly name: string };
  return {
    node: node?.name ?? '',
    pod: `${namespace}/${name}`,
    netConf: (body as { readonly netConf: unknown }).netConf,
    etag: headers.get('etag') ?? '',
  };
}

function expectedStatus(who: string, { role }: AdminRoute, answered: number): number {
  const has = ROLES.findIndex((one) => one === who);
  if (has >= 0) return ROLES.indexOf(role) <= has ? answered : 403;
  return who === 'stranger' ? 403 : 401;
}

scenario('admin API: canal-admin changes net-conf, and it is on record', { limitMs: LIMIT_MS }, async (context) => {
  const { world } = context;
  await isRolledOut(context);
  await using api = await openAdminApi(world);
  const token = await tokenOf(world, 'canal-admin', AUDIENCE);
  const { path } = routeOf('getNetConf');
  const first = await api.send({ path, token });
  const { netConf } = first.body as { readonly netConf: object };
  const put = (etag: string | null): ReturnType<AdminApiClient['send']> =>
    api.send({ method: 'PUT', path, token, headers: { 'If-Match': etag ?? '' }, body: { netConf } });

  // The same settings: agents find nothing to do.
  expect(await put(first.headers.get('etag'))).toMatchObject({ status: 200, body: { applied: true, problems: [] } });
  const { stdout } = await world.kubectl([
    ...['get', 'configmap', 'canal-config', '-n', AGENT_NAMESPACE, '-o', String.raw`jsonpath={.data.net-conf\.json}`],
  ]);
  expect(JSON.parse(stdout)).toEqual(netConf);
  const touched = ['annotate', 'configmap', 'canal-config', '-n', AGENT_NAMESPACE, '--overwrite', 'e2e=touched'];
  await world.kubectl(touched);
  expect((await put(first.headers.get('etag'))).status).toBe(412);
  const records = await readPage(api, 'listAuditRecords', token);
  expect(records.items.find(({ operation }) => operation === 'putNetConf')).toMatchObject({
    user: `system:serviceaccount:${AGENT_NAMESPACE}:canal-admin`,
    status: 412,
  });
});

scenario('admin API: of other pods only those with its label reach it', { limitMs: LIMIT_MS }, async (context) => {
  await isRolledOut(context);
  const [pod] = await apiPods(context);
  const [stranger, client] = await context.pods.create([
    { name: 'stranger' },
    { name: 'client', labels: { 'canal.io/admin-api-client': 'true' } },
  ]);
  if (pod === undefined || stranger === undefined || client === undefined) throw new Error('no pod');
  const probe = { host: pod.status.podIP, port: PORT, protocol: 'tcp' } as const;
  await expectProbes('the admin API is isolated', [
    { ...probe, from: stranger, expected: 'denied' },
    { ...probe, from: client, expected: 'reaches' },
  ]);
});

scenario(
  'node API: the admin API is told, everybody else is refused',
  { limitMs: LIMIT_MS, needs: ['node-exec'] },
  async ({ world, note }) => {
    const admin = await tokenOf(world, ADMIN_API, NODE_AUDIENCE);
    const others = {
      'no token': undefined,
      'made up': 'A'.repeat(40),
      'canal-admin': await tokenOf(world, 'canal-admin', NODE_AUDIENCE),
      'the agents themselves': await tokenOf(world, 'canal-node', NODE_AUDIENCE),
      'the admin API, for the API server': await tokenOf(world, ADMIN_API),
      'the admin API, for its own clients': await tokenOf(world, ADMIN_API, AUDIENCE),
    };
    const questions = { flanneld: { op: 'peers' }, 'policy-agent': { op: 'endpoints' } } as const;
    let refused = 0;
    for (const { name, ips } of await world.nodes()) {
      const { stdout: authority } = await world.kubectl([
        ...['get', 'node', name, '-o', String.raw`jsonpath={.metadata.annotations.canal\.io/node-api-authority}`],
      ]);
      for (const agent of ['flanneld', 'policy-agent'] as const) {
        const ask = async (token: string | undefined, body: object): Promise<string> => {
          const target = { name, ip: ips[0] ?? '', port: NODE_API_PORTS[agent], authority };
          return await askNode(world.nodeExec, target, token, JSON.stringify(body));
        };
        expect(await ask(admin, questions[agent])).toBe('200');
        // Nothing that changes anything is taken from whomever.
        expect(await ask(admin, { op: 'add-endpoint' })).toBe('200 bad-request');
        for (const [who, token] of Object.entries(others)) {
          expect([agent, who, await ask(token, questions[agent])]).toEqual([agent, who, '401']);
          refused++;
        }
      }
    }
    note('strangers at agents', `${refused} of ${refused} refused`);
  },
);

interface NodeTarget {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly authority: string;
}

/** Status, and the code of an answer that is an error. On the node itself, checked against what its Node object says. */
async function askNode(
  exec: ScenarioContext['world']['nodeExec'],
  { name, ip, port, authority }: NodeTarget,
  token: string | undefined,
  body: string,
): Promise<string> {
  if (exec === undefined) throw new Error("the scenario must name its need: needs: ['node-exec']");
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const script = `ca=$(mktemp); printf '%s' "$1" > "$ca"; url="$2"; resolve="$3"; body="$4"; shift 4
curl -sS --max-time 10 --cacert "$ca" --resolve "$resolve" -H 'Content-Type: application/json' "$@" -d "$body" -w '\\n%{http_code}' "$url"
status=$?; rm "$ca"; exit $status`;
  const args = [authority, `https://${name}:${port}/v1/ask`, `${name}:${port}:${host}`, body];
  const header = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`];
  const { stdout } = await exec(name, ['sh', '-c', script, 'ask', ...args, ...header]);
  const status = stdout.trim().split('\n').at(-1) ?? '';
  const code = /"ok":false,"code":"([^"]+)"/.exec(stdout)?.[1];
  return status === '200' && code !== undefined ? `${status} ${code}` : status;
}
