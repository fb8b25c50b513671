/** What the parser refuses is answered as everything else is. */
import { expect, test } from 'vitest';
import { testApp, VIEW } from '../http/app.fixture.ts';
import { answerClientError } from './client-error.ts';

class FakeSocket {
  readonly destroyed = false;
  writable = true;
  written = '';
  isDestroyed = false;

  end(text: string): void {
    this.written += text;
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

function refused(code: string): FakeSocket {
  const socket = new FakeSocket();
  answerClientError(Object.assign(new Error('no'), { code }), socket);
  return socket;
}

test.each([
  ['HPE_HEADER_OVERFLOW', 'the head of the request is too long'],
  ['HPE_INVALID_METHOD', 'this is no request of HTTP/1.1'],
])('%s: a problem, with the headers of every answer', async (code, detail) => {
  const [head = '', body = ''] = refused(code).written.split('\r\n\r\n');
  const [status, ...lines] = head.split('\r\n');
  const headers = new Map(lines.map((line) => line.split(': ', 2) as [string, string]));
  expect(status).toBe('HTTP/1.1 400 Bad Request');
  expect(JSON.parse(body)).toMatchObject({ status: 400, detail, instance: headers.get('x-request-id') });
  const { app } = await testApp();
  const usual = await app.inject({ url: '/v1/nodes?no=1', headers: VIEW });
  await app.close();
  expect(headers.get('content-type')).toBe('application/problem+json');
  for (const name of ['cache-control', 'x-content-type-options'])
    expect([name, headers.get(name)]).toEqual([name, String(usual.headers[name])]);
});

test('who has reset the connection is told nothing', () => {
  expect(refused('ECONNRESET')).toMatchObject({ written: '', isDestroyed: true });
});
