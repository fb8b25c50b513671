import { expect, test } from 'vitest';
import { NodeApiError } from './node-api.ts';
import { createNodeApi, type NodeApiLimits, type NodeTransport } from './node-client.ts';

const STATUS = { op: 'status' } as const;
const never = (): Promise<never> => new Promise(() => undefined);
const signal = (): AbortSignal => new AbortController().signal;

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    await Promise.resolve();
    yield new TextEncoder().encode(text);
  }
}

async function* silent(...texts: string[]): AsyncGenerator<Uint8Array> {
  yield* chunks(...texts);
  await never();
}

async function failure(work: Promise<unknown>): Promise<NodeApiError> {
  const error: unknown = await work.then(
    () => new Error('answered'),
    (reason: unknown) => reason,
  );
  if (error instanceof NodeApiError) return error;
  throw error;
}

function ask(answer: NodeTransport['ask'], limits: Partial<NodeApiLimits>): Promise<unknown> {
  return createNodeApi({ hasHeartbeats: true, ask: answer }, limits).ask('a', 'flanneld', { op: 'peers' }, signal());
}

test.each<[string, NodeTransport['ask'], Partial<NodeApiLimits>, string]>([
  ['nobody takes the question', never, { connectMs: 20 }, 'cannot be reached in time'],
  ['nothing is said', () => Promise.resolve(silent()), { firstMs: 20 }, 'says nothing'],
  ['nothing but heartbeats is said', () => Promise.resolve(silent('\n', '\n')), { wholeMs: 50 }, 'in time'],
  ['half of a line is said', () => Promise.resolve(silent('{"ok":tr')), { wholeMs: 50, firstMs: 1_000 }, 'in time'],
])('%s: it ends by its limit', async (_name, answer, limits, says) => {
  const error = await failure(ask(answer, limits));
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain('flanneld of node a');
  expect(error.message).toContain(says);
});

test('an answer beyond the bound is not kept', async () => {
  let sent = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await Promise.resolve();
      sent++;
      yield new Uint8Array(1_000).fill(0x20);
    }
  }
  const error = await failure(ask(() => Promise.resolve(endless()), { maxBytes: 10_000 }));
  expect(error.code).toBe('unreadable');
  expect(sent).toBeLessThan(15);
});

test('an answer that would take many times its size is not read, and what is large is bounded by the question', async () => {
  const bomb = `{"ok":true,"value":[${'[],'.repeat(100_000)}[]]}\n`;
  const error = await failure(ask(() => Promise.resolve(chunks(bomb)), {}));
  expect([error.code, error.message]).toEqual(['unreadable', expect.stringContaining('more objects') as unknown]);
  const long = `{"ok":true,"value":"${'x'.repeat(5 << 20)}"}\n`;
  const tooLong = await failure(ask(() => Promise.resolve(chunks(long)), {}));
  expect([tooLong.code, tooLong.message]).toEqual([
    'unreadable',
    expect.stringContaining('longer than 4194304') as unknown,
  ]);
});

test('who follows is told when nothing is heard any more, and heartbeats are no values', async () => {
  const transport = { hasHeartbeats: true, ask: () => Promise.resolve(silent('\n{"ok":true,"value":1}\n\n')) };
  const values: unknown[] = [];
  const following = (async () => {
    const api = createNodeApi(transport, { silentMs: 50 });
    for await (const value of api.follow('a', 'policy-agent', STATUS, signal())) values.push(value);
  })();
  expect((await failure(following)).message).toContain('says nothing any more');
  expect(values).toEqual([1]);
});

test('where there are no heartbeats, silence is no end', async () => {
  async function* late(): AsyncGenerator<Uint8Array> {
    await Bun.sleep(100);
    yield* chunks('{"ok":true,"value":1}\n');
  }
  const api = createNodeApi({ hasHeartbeats: false, ask: () => Promise.resolve(late()) }, { silentMs: 5, firstMs: 5 });
  const values: unknown[] = [];
  for await (const value of api.follow('a', 'policy-agent', STATUS, signal())) values.push(value);
  expect(values).toEqual([1]);
});

test('a question that is too long is not sent', async () => {
  let asked = 0;
  const api = createNodeApi({
    hasHeartbeats: true,
    ask: () => {
      asked++;
      return never();
    },
  });
  const question = { source: 'x'.repeat(70_000), destination: 'b', protocol: 'TCP' };
  const error = await failure(api.ask('a', 'policy-agent', { op: 'explain', question }, signal()));
  expect([error.code, error.agentCode, asked]).toEqual(['agent', 'bad-request', 0]);
});

test('so many questions to one agent at once; who waits can go, and others are not held up', async () => {
  const open: ((bytes: AsyncIterable<Uint8Array>) => void)[] = [];
  const api = createNodeApi(
    {
      hasHeartbeats: true,
      ask: (node) => (node === 'b' ? Promise.resolve(chunks('{"ok":true}\n')) : new Promise((r) => open.push(r))),
    },
    { atOnce: 2 },
  );
  const leave = new AbortController();
  const asks = [signal(), signal(), leave.signal, signal()].map((each) =>
    api.ask('a', 'flanneld', { op: 'peers' }, each),
  );
  for (const each of asks) each.catch(() => undefined);
  await api.ask('b', 'flanneld', { op: 'peers' }, signal());
  expect(open).toHaveLength(2);
  leave.abort();
  expect((await failure(Promise.resolve(asks[2]))).code).toBe('unreachable');
  for (let place = 0; place < 3; place++) {
    open[place]?.(chunks(`{"ok":true,"value":${place}}\n`));
    await Bun.sleep(1);
  }
  expect(await Promise.all([asks[0], asks[1], asks[3]])).toEqual([0, 1, 2]);
});
