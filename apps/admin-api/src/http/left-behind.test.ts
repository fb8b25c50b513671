/** What requests and streams leave behind when they are over: no timer, nothing under way, no stream. */
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { VIEW, testApp } from './app.fixture.ts';

test('timers of requests and streams are gone with them', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const page = { items: [], partial: false, missing: [] };
  const handlers = {
    listLeases: async () => {
      await held;
      return { body: page };
    },
    // As long as somebody reads.
    streamFlows: async function* ({ signal }: { readonly signal: AbortSignal }) {
      yield { type: 'resync', id: '1' } as const;
      await Promise.race([held, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    },
  };
  const { app, clock } = await testApp({ handlers });
  const get = (url: string) => app.inject({ url, headers: VIEW });
  await get('/v1/nodes');
  const before = clock.sleeping;

  const [slow, stream] = [get('/v1/leases'), get('/v1/flows/stream')];
  // It would see them.
  await waitFor('a request and a stream to be under way', () => clock.sleeping >= before + 3);
  release();
  expect((await slow).statusCode).toBe(200);
  expect((await stream).body).toContain('event: resync');
  const wrong = { method: 'POST', url: '/v1/explain', headers: VIEW, payload: 'x' } as const;
  for (let turn = 0; turn < 200; turn++) {
    await get('/v1/nodes');
    await get('/v1/flows/stream');
    await app.inject(wrong);
  }
  await waitFor('their timers to be gone', () => clock.sleeping === before);
  await app.close();
});
