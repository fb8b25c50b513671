import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as nodeTls from 'node:tls';
import { createCertificateAuthority } from '@canal/certificate';
import { createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock, waitFor } from '@canal/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApiMetrics } from '../api-metrics.ts';
import { AuditLog } from '../audit-log.ts';
import type { Handlers } from '../handler.ts';
import { WIDE_LIMITS } from '../http/app.fixture.ts';
import { runServer } from '../run-server.ts';
import { CertificateError, makeCertificate, readCertificate } from './certificate-source.ts';

let directory: string;
let stop: AbortController;
let done: Promise<void> | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-tls-'));
  stop = new AbortController();
  done = undefined;
});
afterEach(async () => {
  stop.abort();
  await done;
  rmSync(directory, { recursive: true });
});

const files = () => ({ certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') });

function writePair(host: string): { readonly ca: string } {
  const authority = createCertificateAuthority();
  const { certPem, keyPem } = authority.issueServer({ hosts: [host] });
  writeFileSync(files().certFile, certPem);
  writeFileSync(files().keyFile, keyPem);
  return { ca: authority.certPem };
}

async function serve() {
  const [clock, log] = [createFakeClock(), createCapturedLogger()];
  const server = await runServer(
    {
      host: '127.0.0.1',
      port: 0,
      certificate: readCertificate(files()),
      certificateFiles: files(),
      limits: WIDE_LIMITS,
    },
    {
      handlers: {} as Handlers,
      authority: { authenticate: () => Promise.resolve(undefined), isAllowed: () => Promise.resolve(false) },
      audit: new AuditLog(log),
      clock,
      log,
      timeMs: () => 0,
      metrics: createApiMetrics(createPrometheusMetrics(), 'test'),
      readyz: () => ({ ok: true, text: 'ready' }),
      version: 'test',
    },
    stop.signal,
  );
  ({ done } = server);
  return { ...server, clock, log };
}

/** What was agreed on, or the error. */
async function handshake(port: number, options: nodeTls.ConnectionOptions): Promise<string> {
  const socket = nodeTls.connect({ host: '127.0.0.1', port, ...options }) as nodeTls.TLSSocket;
  try {
    return await new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(`${String(socket.getProtocol())} ${String(socket.alpnProtocol)}`));
      socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    });
  } finally {
    socket.destroy();
  }
}

describe('the protocol', () => {
  test('TLS 1.2 and 1.3, HTTP/1.1 alone', async () => {
    const { ca } = writePair('a.test');
    const { port } = await serve();
    const options = { ca, servername: 'a.test' };
    expect(await handshake(port, { ...options, ALPNProtocols: ['h2', 'http/1.1'] })).toBe('TLSv1.3 http/1.1');
    expect(await handshake(port, { ...options, maxVersion: 'TLSv1.2' })).toMatch(/^TLSv1.2/);
    expect(await handshake(port, { ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).not.toMatch(/^TLSv1/);
  });
});

describe('a certificate in files', () => {
  test('is renewed while it serves, when both files fit', async () => {
    const first = writePair('a.test');
    const { port, clock, log } = await serve();
    const trusts = async ({ ca }: { readonly ca: string }, servername: string) =>
      (await handshake(port, { ca, servername })).startsWith('TLS');
    expect(await trusts(first, 'a.test')).toBe(true);

    // One file is there before the other.
    const keyOfFirst = readCertificate(files()).key;
    const second = writePair('b.test');
    const keyOfSecond = readCertificate(files()).key;
    writeFileSync(files().keyFile, keyOfFirst);
    await clock.advance(5_000);
    expect([await trusts(first, 'a.test'), await trusts(second, 'b.test')]).toEqual([true, false]);
    expect(log.records.at(-1)?.fields).toEqual({ problem: `${files().keyFile} is not the key of ${files().certFile}` });

    writeFileSync(files().keyFile, keyOfSecond);
    await clock.advance(5_000);
    await waitFor('the second', () => trusts(second, 'b.test'));
    expect(await trusts(first, 'a.test')).toBe(false);
    expect(log.messages('info')).toContain('certificate renewed');
    expect(JSON.stringify(log.records)).not.toContain('PRIVATE');
  });

  test.each([
    ['no file', () => rmSync(files().certFile), /tls.crt cannot be read: ENOENT/],
    ['no certificate', () => writeFileSync(files().certFile, 'canary'), /tls.crt is no certificate in PEM/],
    ['no key', () => writeFileSync(files().keyFile, 'canary'), /tls.key is no private key in PEM/],
  ])('%s is an error that repeats nothing of it', (_name, spoil, expected) => {
    writePair('a.test');
    spoil();
    expect(() => readCertificate(files())).toThrow(CertificateError);
    expect(() => readCertificate(files())).toThrow(expected);
    expect(() => readCertificate(files())).not.toThrow(/canary/);
  });
});

test('a certificate that is made is trusted by the authority that was written', async () => {
  const authorityFile = join(directory, 'ca.pem');
  const { cert, key } = makeCertificate(['localhost', '127.0.0.1'], authorityFile);
  writeFileSync(files().certFile, cert);
  writeFileSync(files().keyFile, key);
  const { port } = await serve();
  const { readFileSync } = await import('node:fs');
  expect(await handshake(port, { ca: readFileSync(authorityFile), servername: 'localhost' })).toMatch(/^TLS/);
  expect(() => makeCertificate(['a'], join(directory, 'none/ca.pem'))).toThrow(/cannot be written: ENOENT/);
});
