import { expect, test } from 'vitest';
import type { DialAnswer } from './dial.ts';
import { judge } from './judge.ts';
import { planTests } from './plan-tests.ts';
import { renderTests } from './render-tests.ts';
import { runTests } from './run-tests.ts';
import type { TestGround } from './test-ground.ts';

const OK: DialAnswer = { ok: true, tookMs: 1, pod: 'server-1', seen: '10.0.0.1' };

function groundOf(answer: () => DialAnswer): TestGround & { readonly policies: string[] } {
  const policies: string[] = [];
  const absent = { absent: 'there is none' };
  return {
    policies,
    namespace: 'ns',
    clients: [{ name: 'client-1', node: 'n1', ips: ['10.0.0.1'] }],
    servers: [{ name: 'server-1', node: 'n1', ips: ['10.0.0.2'] }],
    nodes: [{ name: 'n1', ips: ['192.0.2.1'], port: 10_250 }],
    nodesDial: false,
    service: absent,
    apiServer: absent,
    dns: absent,
    results: [],
    dial: (_from, requests) => Promise.resolve(requests.map(answer)),
    applyPolicy: (policy) => {
      policies.push(policy.metadata.name);
      return Promise.resolve();
    },
  };
}

const run = (ground: TestGround, deadlineMs: number): ReturnType<typeof runTests> =>
  runTests(ground, planTests(ground), {
    signal: new AbortController().signal,
    deadlineMs,
    onProgress: () => undefined,
  });

test('what there was no time for is said to be so, and no policy is made for it', async () => {
  const ground = groundOf(() => OK);
  const results = await run(ground, performance.now());
  expect(results.filter(({ isUnfinished }) => isUnfinished).map(({ id }) => id)).toEqual([
    'pod-to-pod/n1/n1/ipv4',
    'pod-to-node/n1/n1/ipv4',
    'large-packets/n1/n1/ipv4',
    'policy/isolates/n1/n1/ipv4',
    'policy/allows/n1/n1/ipv4',
    'policy/keeps-other-ports-out/n1/n1/ipv4',
  ]);
  expect(ground.policies).toEqual([]);
  const text = renderTests(results, { seconds: 1, every: false, colours: false });
  expect(text).toContain('0 ok, 0 fail, 8 left out (6 for want of time) in 1.0 s');
});

test('a try is made again until it comes out as expected', async () => {
  const startMs = performance.now();
  // Policies take effect at the third look.
  let looks = 0;
  const ground = groundOf(() => OK);
  const settling: TestGround = {
    ...ground,
    dial: (from, requests) => {
      if (ground.policies.length !== 1 || ++looks < 3) return ground.dial(from, requests);
      return Promise.resolve(requests.map(() => ({ ok: false, why: 'silent', message: 'no answer' })));
    },
  };
  const results = await run(settling, startMs + 60_000);
  expect(results.find(({ id }) => id.startsWith('policy/isolates'))?.verdict).toBe('ok');
  expect(looks).toBe(3);
});

test.each<[Parameters<typeof judge>[0], DialAnswer, string | undefined]>([
  [{ type: 'pod', pods: ['server-1'] }, OK, undefined],
  [{ type: 'pod', pods: ['server-2'] }, OK, 'server-1 answered, not server-2'],
  [{ type: 'pod', pods: ['server-1'], source: '10.0.0.1' }, OK, undefined],
  [
    { type: 'pod', pods: ['server-1'], source: '10.0.0.9' },
    OK,
    expect.stringContaining('translates addresses') as string,
  ],
  [{ type: 'anybody' }, { ok: false, why: 'refused', message: 'refused' }, undefined],
  [{ type: 'anybody' }, { ok: false, why: 'silent', message: 'no answer' }, 'no answer'],
  [{ type: 'silence' }, { ok: false, why: 'silent', message: 'no answer' }, undefined],
  // A server that is gone must not look like a policy.
  [{ type: 'silence' }, { ok: false, why: 'refused', message: 'refused' }, 'refused'],
  [{ type: 'silence' }, OK, 'server-1 answered'],
  [{ type: 'addresses', all: ['10.0.0.1'] }, { ok: true, tookMs: 1, addresses: ['10.0.0.1'] }, undefined],
  [
    { type: 'addresses', all: ['10.0.0.1', 'fd00::1'] },
    { ok: true, tookMs: 1, addresses: ['10.0.0.1'] },
    'the name leads to 10.0.0.1, not to fd00::1',
  ],
])('%j and %j: %s', (expected, answer, problem) => {
  expect(judge(expected, answer)).toEqual(problem);
});
