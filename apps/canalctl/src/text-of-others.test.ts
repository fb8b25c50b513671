/** Whatever others call their objects, or answer: it changes neither the lines nor what the terminal does. */
import type { Flow } from '@canal/admin-client';
import type { UninstallReport } from '@canal/api-schema';
import type { PingMatrix, PodRecord } from '@canal/lab';
import type { Explanation } from '@canal/policy-compile';
import type { FlowGroup, PolicyDiff } from '@canal/policy-diff';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderCheck } from './check/render-check.ts';
import { renderContents } from './diag/run.ts';
import { frameOf, LiveFlows } from './flows/live-flows.ts';
import { flowColumns, flowRow, GrowingTable } from './flows/render-flow.ts';
import { KINDS } from './get/kinds.ts';
import { renderFindings as renderAddressFindings } from './ipam/check.ts';
import { checkAddresses } from './ipam/check-addresses.ts';
import { renderAddresses, renderPools } from './ipam/show.ts';
import { renderMatrix } from './lab/render-matrix.ts';
import { renderAgents, renderNode } from './node/node-status.ts';
import { renderDiff } from './policy/diff.ts';
import { renderEndpoints } from './policy/endpoints.ts';
import { renderPods } from './policy/pods.ts';
import type { ShownEndpoint } from './policy/read-endpoints.ts';
import { renderExplanation } from './policy/render-explanation.ts';
import { parseListFormat } from './output/list-format.ts';
import { type ListView, renderList, renderTable } from './output/render-list.ts';
import { printable } from './printable.ts';
import { createProgress } from './progress.ts';
import { reportError, UsageError } from './report-error.ts';
import { findFaults } from './status/findings.ts';
import type { NodeReport } from './status/read-status.ts';
import { renderStatus } from './status/render-status.ts';
import { table } from './table.ts';
import { renderPlan, renderResult } from './uninstall/render.ts';
import { renderFindings } from './validate/run.ts';

/** Faults, a peer that is lost, and no lease: everything that is told of a node. */
function nodeReport(text: string): NodeReport {
  const faults = [{ severity: 'error', message: text } as const];
  const pool = { node: text, subnet: text, capacity: '1', inUse: 1, leaked: 1 };
  return {
    name: text,
    state: 'degraded',
    backend: text,
    addresses: [text, text],
    subnets: [text],
    agents: [
      { name: 'flanneld', state: 'ready', version: text, lastSync: text, faults },
      { name: 'policy-agent', state: 'unreachable', faults },
    ],
    peers: [{ node: text, address: text, via: 'vxlan', reachable: false }],
    pools: [pool],
  };
}

const assignment = (text: string) =>
  ({
    address: text,
    node: text,
    state: 'leaked',
    containerId: text,
    interface: text,
    pod: pod(text),
    since: text,
  }) as const;

function nodeViews(text: string): string {
  const [node, view] = [nodeReport(text), { wide: true, colours: false, nowMs: 0 }];
  const findings = findFaults({ nodes: [node], missing: [{ node: text, reason: text }] });
  return [renderStatus([node], findings, view), renderAgents([node], view), renderNode(node, findings, view)].join('');
}

/** YAML is left out: it folds long lines. */
const LIST_FORMATS = ['table', 'wide', 'json', 'name', 'custom-columns=POD:.pod.name,BY:.ingress[*],ALL:.pod'];
const EVERY_FIELD = parseListFormat('custom-columns=ALL:.a,EACH:.a[*],ONE:.a.b[0]');
const HOSTILE_VIEW: ListView<unknown> = { columns: [], name: String, value: (item) => item };

const pod = (text: string) => ({ namespace: text, name: text, uid: text });

function flow(text: string): Flow {
  const end = { address: text, pod: pod(text), port: 80 };
  return {
    node: text,
    time: text,
    verdict: 'deny',
    reason: text,
    source: end,
    destination: end,
    protocol: text,
    isolatedBy: [text, text],
    lost: 0,
  };
}

function endpoint(text: string): ShownEndpoint {
  return {
    node: text,
    interface: text,
    addresses: [text, text],
    pod: pod(text),
    state: 'policed',
    ingress: [text],
    egress: [text, text],
  };
}

function explanation(text: string): Explanation {
  const end = { address: text, pod: pod(text), kind: 'pod' } as const;
  const judged = { verdict: 'deny', reason: 'no-rule-allows', policies: [text], misses: [] } as const;
  return {
    verdict: 'deny',
    source: end,
    destination: { address: text, kind: 'outside' },
    protocol: text,
    egress: { direction: 'egress', ...judged, rule: { policy: text, index: 0 } },
    ingress: { direction: 'ingress', ...judged },
    words: [text, text],
  };
}

function policyDiff(text: string): PolicyDiff {
  const workload = { type: 'workload', name: text, pods: 1, of: 2, only: [text] } as const;
  const group: FlowGroup = {
    sources: [
      workload,
      { type: 'outside', ranges: [text] },
      { type: 'nodes', addresses: [{ node: text, address: text }] },
    ],
    destinations: [{ type: 'namespace', name: text, pods: 3, but: [workload] }],
    families: [4],
    ports: 'all',
    causes: [
      { type: 'policy', name: text, change: 'added' },
      { type: 'namespace', name: text, change: 'changed' },
      { type: 'pods', workload: text },
    ],
  };
  const change = { pod: text, workload: text, families: [4] as const };
  const compared = { pods: 1, workloads: 1, families: [4] as const };
  return { opens: [group], closes: [group], came: [change], went: [change], compared };
}

function losses(text: string): PingMatrix {
  const at = (name: string): PodRecord => ({
    node: 'node1',
    namespace: 'default',
    name,
    uid: 'u',
    containerId: 'c',
    netns: 'n',
    ips: [],
  });
  const [from, to] = [at('a'), at('b')];
  const cell = { from, to, family: 4, result: { ok: false, reason: text } };
  return { pods: [from, to], families: [4], cells: [cell], lost: 1 } as unknown as PingMatrix;
}

function uninstalled(text: string): string {
  const report = {
    objects: [
      { kind: text, name: text, outcome: 'left', note: text },
      { kind: text, name: text, outcome: 'removed' },
    ],
    remaining: [text],
    pods: [text],
  } as unknown as UninstallReport;
  const nodes = [
    { node: text, outcome: 'failed', problem: text, report, nodeObject: [text] },
    { node: text, outcome: 'unreachable', problem: text, nodeObject: [] },
  ] as const;
  return [true, false].map((dry) => renderResult({ nodes, objects: [text, text], byHand: text }, dry)).join('');
}

function plan(text: string): string {
  const nodes = [{ name: text, pods: 1, hasAgent: true, unreachable: text }];
  return renderPlan({ nodes, daemonSetExists: true, image: text } as unknown as Parameters<typeof renderPlan>[0]);
}

/** Without what it draws with. */
function liveFrame(text: string): string {
  const flows = new LiveFlows();
  flows.add(flow(text));
  return frameOf(flows, { columns: 10_000, rows: 10 }, true).replaceAll(/\u001b\[[0-9]*[HJKm]/g, '');
}

/** What no kind has is passed over by the others. */
async function everyKind(text: string): Promise<string> {
  const item = {
    ...nodeReport(text),
    ...endpoint(text),
    namespace: text,
    name: text,
    directions: [text],
    selects: 1,
    problems: [{ message: text }],
    faults: [{ message: text }],
    subnet: text,
    capacity: '1',
    address: text,
    time: text,
    type: text,
    reason: text,
    object: text,
    message: text,
    user: text,
    operation: text,
    status: 200,
    changes: [text],
    requestId: text,
    Network: text,
    Backend: { Type: text },
  };
  const shown = Object.values(KINDS).map(({ view }) => renderList([item], view, { type: 'wide' }));
  const names = Object.values(KINDS).map(({ view }) => renderList([item], view, { type: 'name' }));
  return (await Promise.all([...shown, ...names])).join('');
}

async function told(tell: (terminal: Parameters<typeof reportError>[0]) => unknown): Promise<string> {
  let written = '';
  await tell({ live: false, out: () => undefined, err: (text) => void (written += text) });
  return written;
}

test.each<[string, (text: string) => string | Promise<string>]>([
  ...LIST_FORMATS.map((format): [string, (text: string) => Promise<string>] => [
    `policy endpoints -o ${format}`,
    (text) => renderEndpoints([endpoint(text)], parseListFormat(format)),
  ]),
  ['any custom columns', (text) => renderList([{ a: { [text]: text, b: [text] } }], HOSTILE_VIEW, EVERY_FIELD)],
  ['what others call columns', (text) => Promise.resolve(renderTable([[text, text], [text]]))],
  ['policy explain', (text) => renderExplanation(explanation(text))],
  [
    'policy pods',
    (text) => renderPods([{ node: text, pod: pod(text), addresses: [text], directions: [] }], { type: 'wide' }),
  ],
  ['check', (text) => renderCheck([{ id: text, what: text, found: text, verdict: 'fail', cause: text, next: text }])],
  [
    'validate',
    (text) => renderFindings([{ severity: 'error', file: text, object: text, pointer: text, message: text }], 1),
  ],
  ['policy diff', (text) => renderDiff(policyDiff(text))],
  ['flows', (text) => table([flowColumns(true), flowRow(flow(text), true)])],
  ['flows --follow', (text) => new GrowingTable(false).line(flowRow(flow(text), false))],
  ['flows --live', liveFrame],
  [
    'what is in a bundle',
    (text) => renderContents({ time: text, entries: [{ path: text, content: text }], missing: [] }),
  ],
  ['get', everyKind],
  ['lab ping', (text) => renderMatrix(losses(text))],
  ['the plan of uninstall', plan],
  ['the result of uninstall', uninstalled],
  ['status, node status', nodeViews],
  [
    'ipam show',
    async (text) => {
      const [pool] = nodeReport(text).pools;
      const format = parseListFormat('wide');
      return (
        (await renderPools(pool === undefined ? [] : [pool], format)) +
        (await renderAddresses([assignment(text)], format))
      );
    },
  ],
  [
    'ipam check',
    (text) =>
      renderAddressFindings(
        checkAddresses(
          [assignment(text), assignment(text)],
          [{ node: text, family: 4, subnet: text, faults: [] }],
          [{ node: text, reason: text }],
        ),
        2,
        1,
      ),
  ],
  ['progress', (text) => told((terminal) => createProgress(terminal).step(text))],
  ['errors', (text) => told((terminal) => reportError(terminal, new UsageError(text, text)))],
])('%s', async (_name, render) => {
  const lines = (await render('plain')).split('\n').length;
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\u001b]0;owned\u0007', 'a\r\nb', '\u009b2J', 'a\u202eb', '\u2028', '\n', '\t'),
  );
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      const written = await render(`x${text}x`);
      expect(printable(written)).toBe(written);
      expect(written.split('\n')).toHaveLength(lines);
    }),
  );
});
