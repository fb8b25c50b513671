/** SIGKILL in the middle of an ADD: the next agent has the pod as the records say, and nothing of it stays after its DEL. */
import type { EndpointStatusMessage } from '@canal/agent-protocol';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { createAttachmentStore } from '@canal/node-state';
import { waitFor } from '@canal/testing';
import { parseInterfaceName, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { type AgentNode, createAgentNode } from './testing/agent-node.ts';

const ROUNDS = 12;
/** An ADD is over by then on a machine that is not busy. */
const LATEST_MS = 30;

const listing = (node: AgentNode): string => node.netns.run(['nft', 'list', 'table', 'inet', 'canal-policy']);

async function endpoints(node: AgentNode): Promise<readonly EndpointStatusMessage[]> {
  const answer = await node.ask({ op: 'endpoints' });
  return answer.ok ? (answer.value as EndpointStatusMessage[]) : [];
}

test(`${ROUNDS} times`, async () => {
  await using node = await createAgentNode();
  const { web } = node;
  const { containerId, containerInterface } = web.request.endpoint;
  const key = {
    containerId: unwrap(parseContainerId(containerId)),
    containerInterface: unwrap(parseInterfaceName(containerInterface)),
  };
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await node.start();
    const adding = node.add(web).then(
      () => answered++,
      () => undefined,
    );
    await Bun.sleep((round / ROUNDS) * LATEST_MS);
    await node.kill();
    await adding;

    await node.start();
    await waitFor('the pod', async () => (await endpoints(node)).some(({ state }) => state === 'policed'));
    expect(listing(node)).toContain(web.address);
    // As the runtime has it: the plugin tries again, and the pod ends at last.
    expect(await node.add(web)).toEqual({ ok: true, value: { state: 'policed' } });
    createAttachmentStore(node.stateDir).remove(unwrap(parseNetworkName('canal')), key);
    await node.ask({ op: 'delete-endpoint', key: `${containerId}/${containerInterface}` });
    await waitFor('its end', () => !listing(node).includes(web.address));
    expect(await endpoints(node)).toEqual([]);
    await node.kill();
  }
  process.stderr.write(`${answered} of ${ROUNDS} were answered before the kill\n`);
  expect(answered).toBeLessThan(ROUNDS);
}, 120_000);
