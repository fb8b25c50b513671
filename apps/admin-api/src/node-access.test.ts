import { NODE_API_AUTHORITY } from '@canal/api-schema';
import { NodeApiError } from '@canal/node-api';
import { afterEach, expect, test, vi } from 'vitest';
import { nodeTransport } from './node-access.ts';
import type { ClusterNode, ClusterNodes } from './resources/cluster-nodes.ts';

const options = { agentSockets: undefined, nodeTokenFile: '/nonexistent' };

afterEach(() => vi.restoreAllMocks());

async function refusal(node: ClusterNode | undefined): Promise<NodeApiError> {
  const transport = nodeTransport(options, { get: () => node } as unknown as ClusterNodes);
  const error: unknown = await transport.ask('a', 'flanneld', '{}', new AbortController().signal).then(
    () => new Error('answered'),
    (reason: unknown) => reason,
  );
  if (error instanceof NodeApiError) return error;
  throw error;
}

function nodeWith(internalIps: readonly string[], annotations: Readonly<Record<string, string>>): ClusterNode {
  const record = { name: 'a', uid: 'u', annotations, podCidrs: [], internalIps };
  return { name: 'a', record };
}

test.each([
  ['nothing', []],
  ['a host of somebody else', ['example.com/x?']],
  ['another port', ['10.0.0.1:443/#']],
  ['the API server, with a path', ['10.0.0.1/api/v1?', '::1]/']],
])('a Node object whose address is %s is not spoken to, and nobody is shown the token', async (_name, addresses) => {
  const fetched = vi.spyOn(globalThis, 'fetch');
  const error = await refusal(nodeWith(addresses, { [NODE_API_AUTHORITY]: 'PEM' }));
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain('expected an IP address');
  expect(fetched).not.toHaveBeenCalled();
});

test('what is missing is named', async () => {
  expect((await refusal(undefined)).message).toContain('gone');
  expect((await refusal({ name: 'a', problem: 'metadata.name is absent' })).message).toContain(
    'metadata.name is absent',
  );
  expect((await refusal(nodeWith(['x', '192.0.2.1'], {}))).message).toContain('has not published');
});
