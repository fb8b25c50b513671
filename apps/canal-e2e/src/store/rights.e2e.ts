/** The rights of deploy/canal.yaml at a kube-apiserver alone, where the admission policies can be tried in seconds. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { adminApiMay, adminApiMayNot, peopleMayNot } from '../admin-api-rights.ts';
import { type AgentRequest, allowedRequests, refusedRequests } from '../agent-requests.ts';
import { eventually } from '../eventually.ts';
import { Kubectl } from './kubectl.ts';
import { type RealApiServer, startRealApiServer } from './real-api-server.ts';

const MANIFEST = resolve(import.meta.dirname, '../../../../deploy/canal.yaml');
const NAMESPACE = '/api/v1/namespaces/canal-system';
const CAST = { own: 'node-a', other: 'node-b', agentPod: 'canal-node-e2e' };
/** What the DaemonSet would make, without a controller that makes it. */
const AGENT_POD = {
  metadata: { name: CAST.agentPod },
  spec: {
    nodeName: CAST.own,
    serviceAccountName: 'canal-node',
    automountServiceAccountToken: false,
    hostNetwork: true,
    containers: [{ name: 'flanneld', image: 'canal.invalid/canal' }],
  },
};

let server: RealApiServer;
let tokens: { readonly agent: string; readonly adminApi: string };

beforeAll(async () => {
  server = await startRealApiServer();
  const kubectl = await Kubectl.create(server);
  await kubectl.ok(`apply -f ${MANIFEST}`);
  kubectl.close();
  for (const name of [CAST.own, CAST.other]) {
    await post('/api/v1/nodes', { metadata: { name, annotations: { people: 'e2e' } } });
    const conditions = ['Ready', 'NetworkUnavailable'].map((type) => ({ type, status: 'False' }));
    await send(server.adminToken, {
      what: 'status',
      method: 'PATCH',
      path: `/api/v1/nodes/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { conditions, addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] } },
    });
  }
  await post(`${NAMESPACE}/pods`, AGENT_POD);
  tokens = {
    agent: await tokenOf('canal-node', { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: CAST.agentPod } }),
    adminApi: await tokenOf('canal-admin-api', {}),
  };
  await eventually(
    'the admission policies to be in force',
    async () => {
      const [first] = adminApiMayNot({ node: CAST.own });
      return first !== undefined && (await send(tokens.adminApi, dry(first))).status === 403;
    },
    { withinMs: 60_000 },
  );
}, 180_000);
afterAll(async () => {
  await (server as RealApiServer | undefined)?.close();
});

async function post(path: string, body: object): Promise<unknown> {
  const { status, text } = await send(server.adminToken, { what: path, method: 'POST', path, body });
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
  return JSON.parse(text);
}

async function tokenOf(account: string, spec: object): Promise<string> {
  const made = await post(`${NAMESPACE}/serviceaccounts/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec,
  });
  return (made as { readonly status: { readonly token: string } }).status.token;
}

/** Judged as what it is, and not done. */
function dry(request: AgentRequest): AgentRequest {
  if (request.method === 'GET') return request;
  return { ...request, path: `${request.path}${request.path.includes('?') ? '&' : '?'}dryRun=All` };
}

async function send(token: string, request: AgentRequest): Promise<{ readonly status: number; readonly text: string }> {
  const { method, path, body, headers = [], contentType = 'application/json' } = request;
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': contentType }),
      ...Object.fromEntries(headers.map((line) => line.split(': ', 2) as [string, string])),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    tls: { ca: server.ca },
  });
  return { status: response.status, text: await response.text() };
}

/** What was answered otherwise than with one of the statuses. */
async function others(
  token: string,
  requests: readonly AgentRequest[],
  isExpected: (status: number) => boolean,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const request of requests) {
    const { status, text } = await send(token, dry(request));
    if (!isExpected(status)) wrong.push(`${request.method} ${request.what}: ${status} ${text.slice(0, 300)}`);
  }
  expect(requests.length).toBeGreaterThan(5);
  return wrong;
}

const isDone = (status: number): boolean => status >= 200 && status < 300;
const isRefused = (status: number): boolean => status === 403;

test('the admin API: what it may, and what it may not', async () => {
  expect(await others(tokens.adminApi, adminApiMay({ node: CAST.own }), isDone)).toEqual([]);
  expect(await others(tokens.adminApi, adminApiMayNot({ node: CAST.own }), isRefused)).toEqual([]);
});

test("a node's agents: what they may, and what they may not", async () => {
  expect(await others(tokens.agent, allowedRequests(CAST), isDone)).toEqual([]);
  expect(await others(tokens.agent, refusedRequests(CAST), isRefused)).toEqual([]);
});

test.each(['view', 'operate', 'admin'])('canal-%s: nothing at the API server, its metrics neither', async (role) => {
  const token = await tokenOf(`canal-${role}`, {});
  expect(await others(token, peopleMayNot(), isRefused)).toEqual([]);
});

test('without the binding of the policy the admin API could write all of the status of a Node', async () => {
  const binding = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/canal-node';
  await server.request(binding, { method: 'DELETE' });
  const [first] = adminApiMayNot({ node: CAST.own });
  if (first === undefined) throw new Error('no request');
  await eventually(
    'the policy to be out of force',
    async () => isDone((await send(tokens.adminApi, dry(first))).status),
    { withinMs: 60_000 },
  );
});
