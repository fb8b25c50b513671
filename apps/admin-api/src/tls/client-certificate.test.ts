/** Clients with certificates that openssl has made, over real connections: who is let in, as whom, and who is not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'node:https';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
import { createCapturedLogger } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenFileAuthority } from '../access/token-file-authority.ts';
import { createApiMetrics } from '../api-metrics.ts';
import { AuditLog } from '../audit-log.ts';
import type { Handlers } from '../handler.ts';
import { WIDE_LIMITS } from '../http/app.fixture.ts';
import { type RunningServer, runServer } from '../run-server.ts';
import { makeCertificate } from './certificate-source.ts';
import { ClientAuthorities } from './client-certificate.ts';

const TOKENS = { view: 'v'.repeat(30), operate: 'o'.repeat(30) };
const DAY_MS = 86_400_000;

let directory: string;
let server: RunningServer;
let authorityPem = '';
let nowMs = 0;
const stop = new AbortController();
const log = createCapturedLogger();
const audit = new AuditLog(log);
const file = (name: string): string => join(directory, name);

function openssl(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['openssl', ...args], { cwd: directory });
  if (exitCode !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr.toString()}`);
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function makeAuthority(name: string): void {
  openssl(
    'req',
    '-x509',
    ...KEY,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '30',
  );
}

interface Issue {
  readonly subject: string;
  readonly by?: string;
  readonly extensions?: string;
}

const CLIENT = 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n';

function issue(name: string, { subject, by = 'people', extensions = CLIENT }: Issue): void {
  writeFileSync(file(`${name}.cnf`), extensions);
  openssl('req', ...KEY, '-utf8', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
  const signing = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-days', '10', '-extfile', `${name}.cnf`];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
}

const ISSUED: Readonly<Record<string, Issue>> = {
  viewer: { subject: '/O=canal-view/O=others/CN=ada' },
  operator: { subject: '/O=canal-operate/CN=bob' },
  admin: { subject: '/O=canal-view/O=canal-admin/CN=Grace Hopper' },
  guest: { subject: '/O=canal-administrators/CN=eve' },
  groupless: { subject: '/CN=mallory' },
  nameless: { subject: '/O=canal-admin' },
  forger: { subject: '/CN=x\nO=canal-admin' },
  'of another authority': { subject: '/O=canal-admin/CN=eve', by: 'strangers' },
  'a server': { subject: '/O=canal-admin/CN=eve', extensions: 'extendedKeyUsage=serverAuth\n' },
  'for nothing named': { subject: '/O=canal-admin/CN=eve', extensions: 'basicConstraints=CA:FALSE\n' },
  intermediate: {
    subject: '/CN=intermediate',
    extensions: 'basicConstraints=critical,CA:TRUE\n',
  },
  'of an intermediate': { subject: '/O=canal-admin/CN=eve', by: 'intermediate' },
  // The same name as the authority that is trusted, and another key.
  'of a namesake': { subject: '/O=canal-admin/CN=eve', by: 'namesake' },
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'canal-clients-'));
  for (const name of ['people', 'strangers']) makeAuthority(name);
  openssl(
    'req',
    '-x509',
    ...KEY,
    '-keyout',
    'namesake.key',
    '-out',
    'namesake.pem',
    '-subj',
    '/CN=people',
    '-days',
    '30',
  );
  for (const [name, wanted] of Object.entries(ISSUED)) issue(name, wanted);
  const tokens = file('tokens');
  writeFileSync(
    tokens,
    Object.entries(TOKENS)
      .map(([role, token]) => `${token} t-${role} ${role}\n`)
      .join(''),
    {
      mode: 0o600,
    },
  );
  nowMs = Date.now() + 1_000;
  const certificate = makeCertificate(['localhost'], undefined);
  authorityPem = certificate.authority ?? '';
  const clock = createSystemClock();
  const handlers = {
    listNodes: () => Promise.resolve({ body: { items: [], partial: false, missing: [] } }),
    putNetConf: () => Promise.resolve({ body: { applied: false, problems: [], warnings: [], effects: [] } }),
  } as Partial<Handlers> as Handlers;
  server = await runServer(
    {
      ...{ host: '127.0.0.1', port: 0, certificate, certificateFiles: undefined, limits: WIDE_LIMITS },
      clientAuthorities: ClientAuthorities.read(file('people.pem')),
    },
    {
      ...{ handlers, audit, clock, log, timeMs: () => nowMs, version: 'test' },
      authority: createTokenFileAuthority(tokens, { clock, log }),
      metrics: createApiMetrics(createPrometheusMetrics(), 'test'),
      readyz: () => ({ ok: true, text: 'ready' }),
    },
    stop.signal,
  );
});
afterAll(async () => {
  stop.abort();
  await server.done;
  rmSync(directory, { recursive: true });
});

interface Ask {
  readonly certificate?: string;
  readonly token?: string;
  readonly write?: boolean;
}

/** On a connection of its own. */
async function ask({ certificate, token, write = false }: Ask): Promise<{ status: number; text: string }> {
  const shown = certificate !== undefined && {
    cert: readFileSync(file(`${certificate}.pem`)),
    key: readFileSync(file(`${certificate}.key`)),
  };
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const asking = request(
    {
      ...{ host: '127.0.0.1', servername: 'localhost', port: server.port, ca: authorityPem, agent: false },
      ...shown,
      ...(write ? { method: 'PUT', path: '/v1/config/net-conf' } : { method: 'GET', path: '/v1/nodes' }),
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(write && { 'content-type': 'application/json', 'if-match': '"v1"' }),
      },
    },
    (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    },
  );
  asking.on('error', reject);
  asking.end(write ? '{"netConf":{}}' : undefined);
  return await promise;
}

describe('roles by organization', () => {
  test.each([
    { certificate: 'viewer', read: 200, write: 403 },
    { certificate: 'operator', read: 200, write: 403 },
    { certificate: 'admin', read: 200, write: 200 },
    { certificate: 'guest', read: 403, write: 403 },
    { certificate: 'groupless', read: 403, write: 403 },
    { certificate: undefined, read: 401, write: 401 },
    { certificate: 'nameless', read: 401, write: 401 },
    { certificate: 'forger', read: 401, write: 401 },
    { certificate: 'of another authority', read: 401, write: 401 },
    { certificate: 'of a namesake', read: 401, write: 401 },
    { certificate: 'a server', read: 401, write: 401 },
    { certificate: 'for nothing named', read: 401, write: 401 },
    { certificate: 'intermediate', read: 401, write: 401 },
    { certificate: 'of an intermediate', read: 401, write: 401 },
    { certificate: 'people', read: 401, write: 401 },
  ])('$certificate: reads $read, writes $write', async ({ certificate, ...expected }) => {
    const shown = certificate === undefined ? {} : { certificate };
    const [read, write] = [await ask(shown), await ask({ ...shown, write: true })];
    expect({ read: read.status, write: write.status }).toEqual(expected);
  });
});

describe('beside tokens', () => {
  test.each([
    { what: 'a token alone', ask: { token: TOKENS.view }, status: 200 },
    {
      what: 'a token with a certificate that is not taken',
      ask: { certificate: 'a server', token: TOKENS.view },
      status: 200,
    },
    {
      what: 'a wrong token with a good certificate',
      ask: { certificate: 'admin', token: 'w'.repeat(30) },
      status: 401,
    },
    {
      what: 'a lesser token with a good certificate',
      ask: { certificate: 'admin', token: TOKENS.view, write: true },
      status: 403,
    },
  ])('$what: $status', async ({ ask: wanted, status }) => {
    expect((await ask(wanted)).status).toBe(status);
  });
});

test('records name the user and the certificate', async () => {
  await ask({ certificate: 'admin', write: true });
  const record = audit.list().find(({ status }) => status === 200);
  expect(record).toMatchObject({ user: 'Grace Hopper', operation: 'putNetConf' });
  expect(JSON.stringify(record)).toMatch(/X509SHA256=[0-9a-f]{64}"/);
});

test.each([
  ['is over', 11 * DAY_MS],
  ['is not yet good', -DAY_MS],
])('a certificate that %s lets nobody in', async (_what, offsetMs) => {
  const real = nowMs;
  nowMs += offsetMs;
  try {
    expect((await ask({ certificate: 'admin' })).status).toBe(401);
  } finally {
    nowMs = real;
  }
  expect((await ask({ certificate: 'admin' })).status).toBe(200);
});

describe('a file of authorities', () => {
  test.each([
    ['nothing', '', 'has no certificate in PEM'],
    ['no PEM', 'hello', 'has no certificate in PEM'],
    ['a broken certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'certificate 1 is no'],
  ])('%s', (_what, text, message) => {
    writeFileSync(file('wrong.pem'), text);
    expect(() => ClientAuthorities.read(file('wrong.pem'))).toThrow(message);
  });

  test('a certificate that is no authority', () => {
    expect(() => ClientAuthorities.read(file('viewer.pem'))).toThrow('certificate 1 is no authority');
    expect(() => ClientAuthorities.read(file('absent.pem'))).toThrow('cannot be read: ENOENT');
  });

  test('several: each is good', () => {
    writeFileSync(
      file('both.pem'),
      `${readFileSync(file('people.pem'), 'utf8')}# and\n${readFileSync(file('strangers.pem'), 'utf8')}`,
    );
    const both = ClientAuthorities.read(file('both.pem'));
    const users = ['viewer', 'of another authority'].map(
      (name) => both.identify(readFileSync(file(`${name}.pem`)))?.user,
    );
    expect(users).toEqual(['ada', 'eve']);
  });
});
