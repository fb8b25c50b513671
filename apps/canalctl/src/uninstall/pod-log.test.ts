import { fixedCredentials, Secret } from '@canal/store-kube';
import { afterEach, expect, test } from 'vitest';
import { LOG_MAX_BYTES, readPodLog } from './pod-log.ts';

let server: Bun.Server<undefined> | undefined;
afterEach(() => server?.stop(true));

/** An API server that passes on what a kubelet says. */
function readFrom(answer: (url: URL) => Response): Promise<string> {
  server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: ({ url }) => answer(new URL(url)) });
  const connection = { baseUrl: server.url.origin, credentials: fixedCredentials({ token: new Secret('test') }) };
  return readPodLog(connection, 'ns', 'pod', new AbortController().signal);
}

test('asks for so many bytes and gives the text', async () => {
  const text = await readFrom(({ pathname, searchParams }) => {
    return new Response(`${pathname} ${searchParams.get('limitBytes')} é`);
  });
  expect(text).toBe(`/api/v1/namespaces/ns/pods/pod/log ${LOG_MAX_BYTES} é`);
});

test('a kubelet that goes on for ever: given up after the limit', async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(0x61);
  let chunks = 0;
  const endless = (): ReadableStream =>
    new ReadableStream({
      pull: (controller) => {
        if (++chunks > 200) controller.close();
        else controller.enqueue(chunk);
      },
    });
  await expect(readFrom(() => new Response(endless()))).rejects.toThrow(/longer than 16777216 bytes/);
  expect(chunks).toBeLessThan(200);
});
