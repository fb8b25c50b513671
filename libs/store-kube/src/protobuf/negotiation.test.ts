/** Which servers are asked for protobuf, and what becomes of their answers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KubeObject, PODS, type WatchFrame } from '@canal/store-port';
import { afterEach, expect, test } from 'vitest';
import { fixedCredentials } from '../connection.ts';
import { createKubeListWatch } from '../kube-list-watch.ts';

const captured = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'captured', name));
const FIELDS = { spec: { nodeName: true } } as const;
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

let server: Bun.Server<undefined> | undefined;
afterEach(() => server?.stop(true));

/** An API server that writes what it is told, whatever it is asked. */
function serve(contentType: string, list: string | Buffer<ArrayBuffer>, watch: string | Buffer<ArrayBuffer>) {
  const accepts: (string | null)[] = [];
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      accepts.push(request.headers.get('Accept'));
      const isWatch = request.url.includes('watch=true');
      const type = isWatch && contentType === PROTOBUF ? `${contentType};stream=watch` : contentType;
      return new Response(isWatch ? watch : list, { headers: { 'Content-Type': type } });
    },
  });
  const connection = { baseUrl: server.url.origin, credentials: fixedCredentials({}) };
  return { connection, accepts };
}

async function readBoth(
  connection: Parameters<typeof createKubeListWatch>[0],
  options: Parameters<typeof createKubeListWatch>[2],
): Promise<{ listed: KubeObject[]; version: string; frames: WatchFrame[] }> {
  const listWatch = createKubeListWatch(connection, PODS, options);
  const { signal } = new AbortController();
  const listed: KubeObject[] = [];
  const { resourceVersion } = await listWatch.listPage({}, (object) => listed.push(object), signal);
  const frames: WatchFrame[] = [];
  const watch = await listWatch.watch({ resourceVersion, timeoutSeconds: 1 }, signal);
  for await (const frame of watch) frames.push(frame);
  return { listed, version: resourceVersion, frames };
}

test('a server that writes protobuf is read so, list and watch', async () => {
  const { connection, accepts } = serve(
    PROTOBUF,
    Buffer.from(captured('pods.list.pb')),
    Buffer.from(captured('pods.watch.pb')),
  );
  const { listed, version, frames } = await readBoth(connection, { fields: FIELDS });
  expect(accepts).toEqual([`${PROTOBUF}, application/json`, `${PROTOBUF}, application/json`]);
  expect(version).toBe('824');
  expect(listed).toHaveLength(2);
  expect(listed[0]).toMatchObject({ kind: 'Pod', apiVersion: 'v1', metadata: { namespace: 'kube-system' } });
  expect(listed[0]?.['spec']).toEqual({ nodeName: 'e2e-2' });
  expect(frames.map(({ type }) => type)).toEqual(['put', 'put', 'bookmark']);
});

test('one that answers in JSON all the same is read so', async () => {
  const object = { metadata: { name: 'a', resourceVersion: '5' }, spec: { nodeName: 'n' } };
  const { connection } = serve(
    'application/json',
    JSON.stringify({ metadata: { resourceVersion: '7' }, items: [object] }),
    `${JSON.stringify({ type: 'ADDED', object })}\n`,
  );
  const { listed, frames } = await readBoth(connection, { fields: FIELDS });
  expect(listed).toMatchObject([object]);
  expect(frames).toEqual([{ type: 'put', object }]);
});

test.each([
  ['without fields', {}],
  ['with fields of which not all are known', { fields: { spec: { volumes: true } } }],
] as const)('%s, JSON is asked for', async (_, options) => {
  const { connection, accepts } = serve('application/json', '{"metadata":{"resourceVersion":"7"},"items":[]}', '');
  await readBoth(connection, options);
  expect(accepts).toEqual(['application/json', 'application/json']);
});

test('an error in protobuf is told as one in JSON: the version that a restored server does not have', async () => {
  const text = (number: number, content: string | Buffer): Buffer =>
    Buffer.concat([Buffer.from([number * 8 + 2, content.length]), Buffer.from(content)]);
  const causes = text(4, text(1, 'ResourceVersionTooLarge'));
  const status = Buffer.concat([text(3, 'Too large resource version: 9'), text(4, 'Timeout'), text(5, causes)]);
  const body = Buffer.concat([Buffer.from('k8s\0'), text(1, text(2, 'Status')), text(2, status)]);
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => new Response(body, { status: 504, headers: { 'Content-Type': PROTOBUF } }),
  });
  const connection = { baseUrl: server.url.origin, credentials: fixedCredentials({}) };
  await expect(readBoth(connection, { fields: FIELDS })).rejects.toMatchObject({
    code: 'version-ahead',
    reason: 'Timeout',
    message: expect.stringContaining('Too large resource version: 9') as string,
  });
});
