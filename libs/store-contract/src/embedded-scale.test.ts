import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { createCertificateAuthority } from '@canal/certificate';
import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { expect, test } from 'vitest';

import { isJson, type Json } from './api/api-client.ts';

const NODE_COUNT = 5_000;
const TOKEN = 'scale';

test('5,000 nodes of 9 KB are listed in pages, and little more than one page stands in memory', async () => {
  const lists: string[] = [];
  const authority = createCertificateAuthority();
  const { certPem: cert, keyPem: key } = authority.issueServer({ hosts: ['127.0.0.1'] });
  const server = createEmbeddedServer({
    tokens: [{ token: TOKEN, user: 'scale' }],
    authorize: ({ verb }) => {
      if (verb === 'list') lists.push(verb);
      return undefined;
    },
  });
  await fill(server);
  const { url } = server.listen({ hostname: '127.0.0.1', tls: { cert, key } });
  const result = await runFixture([url, authority.certPem, TOKEN]);
  await server.close();
  expect(result['nodes']).toBe(NODE_COUNT);
  expect(lists).toHaveLength(NODE_COUNT / 500);
  // The list is 45 MB of JSON; parsed whole it would stand for several times that. Bounds are wide, machines differ.
  expect(Number(result['peakMb']) - Number(result['startMb'])).toBeLessThan(90);
  expect(result['cpuMs']).toBeLessThan(4_000);
}, 60_000);

async function fill(server: EmbeddedServer): Promise<void> {
  const images = Array.from({ length: 50 }, (_, index) => ({
    names: [
      `registry.example/image-${String(index)}@sha256:${'a'.repeat(64)}`,
      `registry.example/image-${String(index)}:v1`,
    ],
    sizeBytes: 123_456_789,
  }));
  for (let index = 0; index < NODE_COUNT; index += 1) {
    const node = {
      metadata: { name: `node-${String(index)}`, annotations: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.1' } },
      spec: { podCIDR: `10.${String(100 + (index >> 8))}.${String(index & 255)}.0/24` },
      status: { images },
    };
    const response = await server.handle(
      new Request('http://server/api/v1/nodes', {
        method: 'POST',
        headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(node),
      }),
    );
    if (response.status !== 201) throw new Error(await response.text());
  }
}

function runFixture(args: readonly string[]): Promise<Json> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'list-in-pages.fixture.ts');
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    child.on('error', reject);
    child.on('close', () => {
      const result: unknown = output === '' ? undefined : JSON.parse(output);
      if (isJson(result)) resolve(result);
      else reject(new Error('the listing process gave no result'));
    });
  });
}
