/** Secrets planted wherever a client, a file or the machine can have them: none comes out again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { annotationKeys } from '@canal/api-schema';
import { fixedCredentials, Secret } from '@canal/store-kube';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore } from '@canal/store-kube';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { unwrap } from 'net-types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeFault, withoutCredentials } from './http/log-safety.ts';
import { parseAdminApiCommand } from './options.ts';
import { runAdminApi } from './run-admin-api.ts';

const CANARY = 'canary0123456789abcdefghijklmnop';
const GOOD = `${CANARY}-good`;
const OWN = `${CANARY}-own-token`;

let directory: string;
let url: string;
let ca: string;
const stop = new AbortController();
const log = createCapturedLogger();
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'canal-leaks-'));
  const [tokenFile, authorityFile, nodeToken] = ['tokens', 'ca.pem', 'node-token'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  writeFileSync(tokenFile, `${GOOD} ann admin\n`, { mode: 0o600 });
  writeFileSync(nodeToken, `${CANARY}-node`);
  const kubernetes = createEmbeddedServer({
    tokens: [{ token: OWN, user: 'api', groups: ['system:masters'] }],
  });
  const { url: baseUrl } = kubernetes.listen({ hostname: '127.0.0.1' });
  ends.push(() => kubernetes.close());
  const clock = createSystemClock();
  const connection = { baseUrl, credentials: fixedCredentials({ token: new Secret(OWN) }) };
  const store = createKubeStore({ connection, clock });
  const command = parseAdminApiCommand(
    [
      '--listen-ip=127.0.0.1',
      '--listen-port=0',
      `--token-file=${tokenFile}`,
      `--tls-authority-file=${authorityFile}`,
      `--node-token-file=${nodeToken}`,
    ],
    {},
  );
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  const world = { signal: stop.signal, log, clock, metrics: createPrometheusMetrics() };
  const server = await runAdminApi(
    command.options,
    unwrap(annotationKeys('flannel.alpha.coreos.com')),
    { store, connection },
    world,
  );
  ends.unshift(() => server.done);
  url = `https://127.0.0.1:${server.port}`;
  ca = await Bun.file(authorityFile).text();
  await waitFor('the nodes', () => server.readyz().ok, 15_000);
});
afterAll(async () => {
  stop.abort();
  for (const end of ends) await end();
  rmSync(directory, { recursive: true });
});

async function ask(
  path: string,
  init: { readonly method?: string; readonly body?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const headers = { authorization: `Bearer ${GOOD}`, ...init.headers };
  const response = await fetch(url + path, { ...init, headers, tls: { ca } });
  return `${response.status} ${JSON.stringify(Array.from(response.headers))} ${await response.text()}`;
}

const JSON_TYPE = { 'content-type': 'application/json' };

test('neither answers nor log repeat a secret', async () => {
  const answers = [
    await ask('/v1/nodes'),
    await ask('/v1/nodes', { headers: { authorization: `Bearer ${CANARY}` } }),
    await ask('/v1/nodes', { headers: { authorization: `Basic ${CANARY}` } }),
    await ask(`/v1/nodes?access_token=${CANARY}`),
    await ask(`/v1/explain?token=${CANARY}`, { method: 'POST', headers: JSON_TYPE, body: '{}' }),
    await ask('/v1/explain', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ token: CANARY }) }),
    await ask('/v1/explain', { method: 'POST', headers: JSON_TYPE, body: `{"token": ${CANARY}` }),
    await ask('/v1/explain', {
      method: 'POST',
      headers: { ...JSON_TYPE, 'idempotency-key': `${CANARY} ` + CANARY },
      body: '{}',
    }),
    await ask('/v1/config/net-conf', { headers: { cookie: CANARY, 'if-none-match': CANARY } }),
    await ask('/v1/diag'),
    await ask('/v1/audit'),
    await ask('/metrics'),
    await ask('/openapi.json'),
  ];
  expect(answers.map((answer) => answer.slice(0, 3))).toEqual([
    '200',
    '401',
    '401',
    '422',
    '422',
    '422',
    '400',
    '422',
    '404',
    '200',
    '200',
    '200',
    '200',
  ]);
  expect(answers.filter((answer) => answer.includes('canary'))).toEqual([]);
  expect(log.records.length).toBeGreaterThan(0);
  expect(JSON.stringify(log.records)).not.toContain('canary');
  expect(answers.join('') + JSON.stringify(log.records)).not.toContain('PRIVATE KEY');
});

test.each([
  ['a bearer token', 'GET https://a: Bearer abcdefghijkl refused', 'GET https://a: [left out] refused'],
  ['a JWT', 'token eyJhbGciOi.eyJpc3Mi.sig-x is over', 'token [left out] is over'],
  ['a key', 'a -----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY----- b', 'a [left out] b'],
  ['the beginning of a key', 'a -----BEGIN PRIVATE KEY-----\nabc', 'a [left out]'],
  ['nothing', 'the bearer of bad news', 'the bearer of bad news'],
])('%s in a message does not get into the log', (_name, text, expected) => {
  expect(withoutCredentials(text)).toBe(expected);
  expect(describeFault(new Error('a', { cause: new Error(text) }))).toBe(`Error: a; caused by Error: ${expected}`);
});
