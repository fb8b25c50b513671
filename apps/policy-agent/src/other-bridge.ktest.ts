/** The bridge of pods gets another MAC, or is made anew, under a running agent: the rules name it before the next comparison. */
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentNode } from './testing/agent-node.ts';

const [FIRST, SECOND, THIRD] = ['0a:58:0a:f4:01:01', '0a:58:0a:f4:01:02', '0a:58:0a:f4:01:03'];

test('the rules follow the MAC of cni0, and nobody else is said to have changed them', async () => {
  await using node = await createAgentNode();
  const { netns } = node;
  await node.start();
  const toNode = (): string => netns.run(['nft', 'list', 'chain', 'bridge', 'canal-policy', 'to-node']);
  const follows = (mac: string): Promise<unknown> => waitFor(`rules with ${mac}`, () => toNode().includes(mac));
  expect(toNode()).toContain('drop');
  netns.run(['ip', 'link', 'add', 'cni0', 'address', FIRST, 'type', 'bridge']);
  await follows(FIRST);
  netns.run(['ip', 'link', 'set', 'cni0', 'address', SECOND]);
  await follows(SECOND);
  netns.run(['ip', 'link', 'del', 'cni0']);
  await waitFor('rules without a bridge', () => toNode().includes('drop'));
  netns.run(['ip', 'link', 'add', 'cni0', 'address', THIRD, 'type', 'bridge']);
  await follows(THIRD);
  // At once: the one deleted and the other made before either is heard of.
  netns.run(['ip', '-batch', '-'], { stdin: `link del cni0\nlink add cni0 address ${FIRST} type bridge\n` });
  await follows(FIRST);
  expect(node.log()).not.toContain('policy rules repaired');
  expect(node.probe('/metrics').body).not.toMatch(/canal_dataplane_drift_repairs_total\{.*[1-9]$/m);
}, 60_000);
