/** A node that was taken over has tokens of canal's. What each of them can do is listed here, request by request. */
import { expect } from 'vitest';
import { ADMIN_API, tokenOf } from '../admin-api-client.ts';
import { adminApiMay, adminApiMayNot, peopleMayNot } from '../admin-api-rights.ts';
import { AGENT_NAMESPACE, listAgents } from '../agents.ts';
import { type AgentRequest, allowedRequests, refusedRequests, type RequestCast } from '../agent-requests.ts';
import { type Answer, openTokenClient, tokenOfPod } from '../token-client.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';

/** By RBAC and by the admission policy alike. */
const REFUSAL = 403;

interface Row {
  readonly request: AgentRequest;
  readonly answer: Answer;
}

scenario(
  "the agent's token of one node: refused and allowed requests",
  { limitMs: 120_000, needs: ['node-exec'] },
  async ({ world, note }) => {
    const [own, other] = await world.nodes();
    if (own === undefined || other === undefined) throw new Error('the scenario needs two nodes');
    const agent = (await listAgents(world)).find(({ node }) => node === own.name);
    if (agent === undefined) throw new Error(`no agent on ${own.name}`);
    const cast: RequestCast = { own: own.name, other: other.name, agentPod: agent.name };
    const client = await openTokenClient(world, own.name, agent.uid);
    const ask = async (token: string, requests: readonly AgentRequest[]): Promise<Row[]> => {
      const answers = await client.send(token, requests);
      return requests.map((request, index) => ({ request, answer: answers[index] ?? { status: 0, text: '' } }));
    };

    const token = await tokenOfPod(world, own.name, agent.uid);
    const refused = await ask(token, refusedRequests(cast));
    const allowed = await ask(token, allowedRequests(cast));
    // The same account, without the claim that says which node's it is; and with a claim that was made for it.
    const unbound = await world.kubectl(['create', 'token', 'canal-node', '-n', AGENT_NAMESPACE]);
    const bound = await world.kubectl([
      'create',
      'token',
      'canal-node',
      '-n',
      AGENT_NAMESPACE,
      '--bound-object-kind=Pod',
      `--bound-object-name=${agent.name}`,
    ]);
    // A review is a question by its nature: nothing of any node.
    const writes = allowedRequests(cast).filter(({ method, path }) => method !== 'GET' && !path.endsWith('reviews'));
    const named = (rows: readonly Row[], suffix: string): Row[] =>
      rows.map(({ request, answer }) => ({ request: { ...request, what: `${request.what}, ${suffix}` }, answer }));
    refused.push(...named(await ask(unbound.stdout.trim(), writes), 'by a token without a node'));
    allowed.push(...named(await ask(bound.stdout.trim(), writes), 'by a token bound to the pod'));

    judge(note, refused, allowed);
  },
);

scenario(
  "the admin API's token, and those of people: refused and allowed requests",
  { limitMs: 120_000, needs: ['node-exec'] },
  async ({ world, note }) => {
    const [node] = await world.nodes();
    const agent = (await listAgents(world)).find((one) => one.node === node?.name);
    if (node === undefined || agent === undefined) throw new Error('no agent');
    const client = await openTokenClient(world, node.name, agent.uid);
    const ask = async (account: string, requests: readonly AgentRequest[]): Promise<Row[]> => {
      const answers = await client.send(await tokenOf(world, account), requests);
      return requests.map((request, index) => ({
        request: { ...request, what: `${account}: ${request.what}` },
        answer: answers[index] ?? { status: 0, text: '' },
      }));
    };
    const refused = await ask(ADMIN_API, adminApiMayNot({ node: node.name }));
    for (const account of ['canal-view', 'canal-operate', 'canal-admin'])
      refused.push(...(await ask(account, peopleMayNot())));
    judge(note, refused, await ask(ADMIN_API, adminApiMay({ node: node.name })));
  },
);

function judge(note: ScenarioContext['note'], refused: readonly Row[], allowed: readonly Row[]): void {
  const table = [...refused.map((row) => describe('refused', row)), ...allowed.map((row) => describe('allowed', row))];
  process.stderr.write(`${table.join('\n')}\n`);
  note('requests refused', `${refused.filter(isRefused).length} of ${refused.length}`);
  note('requests allowed', `${allowed.filter(isAllowed).length} of ${allowed.length}`);
  expect(refused.filter((row) => !isRefused(row)).map((row) => describe('refused', row))).toEqual([]);
  expect(allowed.filter((row) => !isAllowed(row)).map((row) => describe('allowed', row))).toEqual([]);
}

function isRefused({ answer }: Row): boolean {
  return answer.status === REFUSAL;
}

function isAllowed({ answer }: Row): boolean {
  return answer.status >= 200 && answer.status < 300;
}

function describe(expected: string, row: Row): string {
  const { method, what } = row.request;
  return `${expected.padEnd(8)} ${row.answer.status} ${byWhom(row).padEnd(9)} ${method.padEnd(6)} ${what}`;
}

function byWhom(row: Row): string {
  if (isAllowed(row)) return '';
  if (row.answer.text.includes('ValidatingAdmissionPolicy')) return 'admission';
  return row.answer.text.includes(' cannot ') ? 'RBAC' : row.answer.text.slice(0, 140);
}
