/** What the verbs say to the policy agent, and what becomes of them when it says nothing, with the compiled plugin. */
import { existsSync } from 'node:fs';
import type { AgentRequest } from '@canal/agent-protocol';
import { waitFor } from '@canal/testing';
import { describe, expect, test } from 'vitest';
import { CniNode, globalAddresses, IPV4, IPV6, type IpObject, ipJson } from './testing/cni-node.ts';
import { agentStatus, FakePolicyAgent, NOT_READY, POLICED } from './testing/fake-policy-agent.ts';

class PolicedNode extends CniNode {
  constructor(mode: 'routed' | 'bridge' = 'routed', policy: object = { policy: 'required' }) {
    super({ mode, subnet: [...IPV4, ...IPV6], config: policy });
  }

  get socket(): string {
    return `${this.folder}/policy.sock`;
  }

  override plugin(): Record<string, unknown> {
    return { ...super.plugin(), policySocket: this.socket };
  }
}

const isAdd = ({ op }: AgentRequest): boolean => op === 'add-endpoint';

describe.each(['routed', 'bridge'] as const)('ADD in %s mode', (mode) => {
  test('tells of a pod that is recorded and wired, and ends after the answer', async () => {
    using node = new PolicedNode(mode);
    const pod = node.pod('a');
    let seen: { traces: string[]; addresses: string[]; host?: IpObject } | undefined;
    using agent = new FakePolicyAgent(node.socket, () => {
      const [host] = node.ip('link', 'show', 'type', 'veth');
      seen = { traces: node.traces(), addresses: globalAddresses(pod), ...(host && { host }) };
      return POLICED;
    });
    await node.runtime.add(node.list(), pod);
    const addresses = globalAddresses(pod);
    expect(addresses).toHaveLength(2);
    expect(seen).toMatchObject({ addresses, traces: node.traces() });
    expect(seen?.traces).toContain('record a:eth0.json');
    expect(agent.requests).toEqual([
      {
        op: 'add-endpoint',
        endpoint: {
          containerId: 'a',
          containerInterface: 'eth0',
          hostInterface: seen?.host?.ifname,
          mode,
          addresses: addresses.map((address) => address.replace(/\/.*/, '')),
          mac: ipJson(pod.run('ip', '-j', 'link', 'show', 'eth0'))[0]?.address,
          pod: { namespace: 'default', name: 'a', uid: 'uid-a' },
        },
      },
    ]);
  });

  test.each([
    ['nobody is there', undefined, 'the policy agent does not run: connect'],
    ['the kernel refuses the rules', { ok: false, code: 'kernel', message: 'ENOMEM' } as const, 'kernel: ENOMEM'],
    ['another version answers', { ok: true, value: { state: 'open' } } as const, 'answer.value.state: "open"'],
  ])('%s: code 11, and nothing is left', async (_what, answer, words) => {
    using node = new PolicedNode(mode);
    const pod = node.pod('a');
    using agent = answer && new FakePolicyAgent(node.socket, () => answer);
    await expect(node.runtime.add(node.list(), pod)).rejects.toMatchObject({
      pluginCode: 11,
      message: expect.stringContaining(words) as string,
      details: expect.stringContaining('policy-agent') as string,
    });
    expect(node.traces()).toEqual([]);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
    // What may have been told is taken back: its answer could have got lost.
    if (agent === undefined) return;
    const deletion = { op: 'delete-endpoint', key: 'a/eth0' } as const;
    await waitFor('the word that it is gone', () => agent.requests.at(-1)?.op === deletion.op);
    expect(agent.requests.filter((request) => !isAdd(request))).toEqual([deletion]);
  });
});

test('ADD waits for an agent that is not ready, hangs up, or is being started', async () => {
  using node = new PolicedNode();
  const adding = node.runtime.add(node.list(), node.pod('a'));
  await Bun.sleep(200);
  using agent = new FakePolicyAgent(node.socket, (_request, number) => {
    if (number === 1) return 'hang-up';
    return number < 5 ? NOT_READY : POLICED;
  });
  await adding;
  expect(agent.requests.map(({ op }) => op)).toEqual(Array<string>(5).fill('add-endpoint'));
});

test('ADD does not wait for ever: not for the word, and not for readiness', async () => {
  using node = new PolicedNode();
  using silent = new FakePolicyAgent(node.socket, () => 'silence');
  const started = performance.now();
  await expect(node.runtime.add(node.list(), node.pod('a'))).rejects.toMatchObject({ pluginCode: 11 });
  expect(performance.now() - started).toBeGreaterThan(9_000);
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(node.traces()).toEqual([]);
  silent[Symbol.dispose]();
  using _unready = new FakePolicyAgent(node.socket, (request) => (isAdd(request) ? NOT_READY : 'silence'));
  await expect(node.runtime.add(node.list(), node.pod('b'))).rejects.toMatchObject({
    pluginCode: 11,
    message: expect.stringContaining('not-ready: pods are not listed yet') as string,
  });
  expect(node.traces()).toEqual([]);
});

test('a pod that the runtime does not name is told of without a name', async () => {
  using node = new PolicedNode();
  using agent = new FakePolicyAgent(node.socket, () => POLICED);
  const pod = node.pod('a');
  await node.runtime.add(node.list(), { ...pod, args: [['IgnoreUnknown', '1']] });
  expect(agent.requests).toHaveLength(1);
  expect(agent.requests[0]).not.toHaveProperty('endpoint.pod');
});

describe('DEL', () => {
  test('tells the agent, and does not wait for its word', async () => {
    using node = new PolicedNode();
    using agent = new FakePolicyAgent(node.socket, (request) => (isAdd(request) ? POLICED : 'silence'));
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    const started = performance.now();
    await node.runtime.del(node.list(), pod);
    expect(performance.now() - started).toBeLessThan(2_000);
    await waitFor('the deletion', () => agent.requests.length === 2);
    expect(agent.requests[1]).toEqual({ op: 'delete-endpoint', key: 'a/eth0' });
    expect(node.traces()).toEqual([]);
  });

  test('succeeds without an agent, and with keys that only ADD acts on', async () => {
    using node = new PolicedNode();
    const pod = node.pod('a');
    {
      using _agent = new FakePolicyAgent(node.socket, () => POLICED);
      await node.runtime.add(node.list(), pod);
    }
    expect(existsSync(node.socket)).toBe(false);
    const config = { ...node.plugin(), cniVersion: '1.1.0', name: 'canal' };
    for (const wrong of [{}, { policy: 'maybe' }, { policySocket: '../x' }, { policySocket: 7 }]) {
      await node.call('DEL', { ...config, ...wrong }, pod);
    }
    expect(node.traces()).toEqual([]);
  });
});

test.each([true, false])('GC tells of each endpoint that it takes away (with a list: %s)', async (hasList) => {
  using node = new PolicedNode();
  using agent = new FakePolicyAgent(node.socket, () => POLICED);
  const [a, b, c] = [node.pod('a'), node.pod('b'), node.pod('c')];
  for (const pod of [a, b, c]) await node.runtime.add(node.list(), pod);
  if (!hasList) for (const pod of [a, b]) pod.remove();
  if (!hasList)
    await waitFor(
      'the links to go',
      () => node.traces().filter((each) => each.startsWith('link')).length === 1,
      20_000,
    );
  const list = hasList ? { 'cni.dev/valid-attachments': [{ containerID: 'c', ifname: 'eth0' }] } : {};
  await node.call('GC', { ...node.plugin(), cniVersion: '1.1.0', name: 'canal', ...list });
  await waitFor('two deletions', () => agent.requests.length === 5);
  const keys = agent.requests.flatMap((request) => (request.op === 'delete-endpoint' ? [request.key] : []));
  expect(keys.sort()).toEqual(['a/eth0', 'b/eth0']);
});

describe('STATUS', () => {
  const call = (node: PolicedNode): Promise<string> =>
    node.call('STATUS', { ...node.plugin(), cniVersion: '1.1.0', name: 'canal' });

  test('code 50 without an agent, and with one that is not ready; its notes say why', async () => {
    using node = new PolicedNode();
    await expect(call(node)).rejects.toMatchObject({
      pluginCode: 50,
      message: expect.stringContaining('the policy agent does not run') as string,
    });
    let ready = false;
    using agent = new FakePolicyAgent(node.socket, () => agentStatus(ready, ready ? [] : ['pods are not listed yet']));
    await expect(call(node)).rejects.toMatchObject({ pluginCode: 50, details: 'pods are not listed yet' });
    ready = true;
    await call(node);
    expect(agent.requests).toEqual([{ op: 'status' }, { op: 'status' }]);
  });

  test('an agent that is away, or not in sync again, is no matter once its rules are in the kernel', async () => {
    using node = new PolicedNode();
    node.run('nft', 'add', 'table', 'inet', 'canal-policy');
    await call(node);
    {
      using agent = new FakePolicyAgent(node.socket, () => agentStatus(false, ['pods are not listed yet']));
      await call(node);
      expect(agent.requests).toEqual([{ op: 'status' }]);
    }
    node.run('nft', 'delete', 'table', 'inet', 'canal-policy');
    await expect(call(node)).rejects.toMatchObject({ pluginCode: 50 });
  });
});

test('CHECK asks nothing of the agent: the rules of a pod do not need it', async () => {
  using node = new PolicedNode();
  const pod = node.pod('a');
  {
    using _agent = new FakePolicyAgent(node.socket, () => POLICED);
    await node.runtime.add(node.list(), pod);
  }
  await node.runtime.check(node.list(), pod);
});

test.each([{}, { policy: 'off' }])('with %j no verb speaks to an agent', async (policy) => {
  using node = new PolicedNode('routed', policy);
  using agent = new FakePolicyAgent(node.socket, () => 'hang-up');
  const pod = node.pod('a');
  await node.runtime.add(node.list(), pod);
  await node.call('STATUS', { ...node.plugin(), cniVersion: '1.1.0', name: 'canal' });
  await node.runtime.del(node.list(), pod);
  expect(agent.requests).toEqual([]);
});
