/** `policy pods` of files; of agents see policy.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../command-context.ts';
import { createProgram } from '../program.ts';
import { reportError } from '../report-error.ts';

async function run(args: readonly string[]): Promise<{ exitCode: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  const outcome: Outcome = { exitCode: 0 };
  const terminal = {
    live: false,
    out: (part: string) => void (text.out += part),
    err: (part: string) => void (text.err += part),
  };
  try {
    const context = { terminal, signal: new AbortController().signal, outcome };
    await createProgram(context).parseAsync([...args], { from: 'user' });
    return { ...text, exitCode: outcome.exitCode };
  } catch (error) {
    const exitCode = await reportError(terminal, error, outcome.failure);
    return { ...text, exitCode };
  }
}

test('of files: whom its selector selects', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'canalctl-pods-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'pods.yaml');
  const pod = (name: string, more = ''): string =>
    `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }, spec: { nodeName: n1${more} } }\n---\n`;
  const policy =
    '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: shop }, spec: { podSelector: { matchExpressions: [{ key: app, operator: NotIn, values: [web] }] }, policyTypes: [Egress] } }';
  writeFileSync(file, pod('web') + pod('db') + pod('host', ', hostNetwork: true') + policy);
  expect(await run(['policy', 'pods', 'shop/p', '-f', file, '-o', 'wide'])).toEqual({
    exitCode: 0,
    err: '',
    out: 'POD      ISOLATED FOR  ADDRESSES  NODE\nshop/db  egress        -          n1\n',
  });
  expect(await run(['policy', 'pods', 'p', '-f', file])).toMatchObject({ exitCode: 3, out: '' });
  expect(await run(['policy', 'pods', 'p', '-f', file, '--lab', 'x'])).toMatchObject({ exitCode: 2, out: '' });
});
