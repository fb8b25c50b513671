import type { AddressMessage } from '@canal/agent-protocol';
import { ADDRESS_RELEASE_OUTCOME, ADDRESS_RELEASE_REQUEST, type AddressReleaseRequest } from '@canal/api-schema';
import { NODES } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld, NOW } from './testing/admin-world.ts';

const ADDRESS = '10.244.1.7';
const LEAKED: AddressMessage = {
  address: ADDRESS,
  state: 'leaked',
  containerId: 'gone',
  interface: 'eth0',
  pod: { namespace: 'shop', name: 'web' },
  releasable: true,
};

let world: AdminWorld;
beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b');
  hold('a', LEAKED);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function hold(node: string, ...addresses: readonly AddressMessage[]): void {
  const state = world.state(node);
  state.addresses = { ...state.addresses, addresses };
}

const release = (body: object = {}, more: { readonly dryRun?: boolean; readonly address?: string } = {}) =>
  world.call('releaseAddress', { params: { address: more.address ?? ADDRESS }, body, dryRun: more.dryRun ?? false });

async function requestOf(node: string): Promise<AddressReleaseRequest | undefined> {
  const text = (await world.store.get(NODES, node))?.metadata.annotations?.[ADDRESS_RELEASE_REQUEST];
  return text === undefined ? undefined : (JSON.parse(text) as AddressReleaseRequest);
}

async function answerAs(node: string, outcome: object): Promise<AddressReleaseRequest> {
  const request = await waitFor(`the request to ${node}`, () => requestOf(node));
  await annotate(node, {
    [ADDRESS_RELEASE_REQUEST]: null,
    [ADDRESS_RELEASE_OUTCOME]: JSON.stringify({ id: request.id, ...outcome }),
  });
  return request;
}

async function annotate(node: string, annotations: object): Promise<void> {
  await world.store.mergePatch(NODES, node, { metadata: { annotations } }, { subresource: 'status' });
}

test('the node of the address is asked, and what it says is the answer', async () => {
  const releasing = release();
  const request = await answerAs('a', { result: 'released', detail: 'done' });
  expect(request).toEqual({
    id: expect.any(String) as string,
    address: ADDRESS,
    containerId: 'gone',
    until: new Date(NOW + 30_000).toISOString(),
  });
  expect(await releasing).toEqual({
    body: { applied: true, address: ADDRESS, node: 'a', containerId: 'gone', pod: LEAKED.pod, detail: 'done' },
    audit: {
      object: `Address ${ADDRESS} of Node a`,
      changes: [`- ${ADDRESS} held by container gone of pod shop/web`],
    },
  });
});

test.each([
  ['kept', 'conflict', 'its sandbox is there'],
  ['absent', 'not-found', 'nobody holds'],
])('the node says %s', async (result, problem, says) => {
  const releasing = release();
  const refused = expect(releasing).rejects.toMatchObject({
    problem,
    message: expect.stringContaining(says) as string,
  });
  await answerAs('a', { result, detail: 'its sandbox is there' });
  await refused;
});

test('a trial asks no node', async () => {
  expect(await release({}, { dryRun: true })).toMatchObject({
    body: { applied: false, node: 'a', containerId: 'gone' },
  });
  expect(await requestOf('a')).toBeUndefined();
});

test('a node that does not answer: the request is taken back', async () => {
  const releasing = release();
  const refused = expect(releasing).rejects.toMatchObject({
    problem: 'unavailable',
    message: expect.stringContaining('within 5 s') as string,
  });
  await waitFor('the request', () => requestOf('a'));
  await world.clock.advance(5_000);
  await refused;
  expect(await requestOf('a')).toBeUndefined();
});

test.each<[string, readonly AddressMessage[], object, string, string]>([
  ['that a pod has', [{ ...LEAKED, state: 'in-use' }], {}, 'conflict', 'in use by pod shop/web'],
  ['that another container holds', [LEAKED], { containerId: 'other' }, 'conflict', 'container gone holds it'],
  ['of which the node is not sure', [without('releasable')], {}, 'conflict', 'cannot tell for sure'],
  ['that names no container', [without('containerId')], {}, 'conflict', 'cannot tell for sure'],
  ['of nobody', [], {}, 'not-found', 'nobody holds'],
  ['on a node that is not there', [LEAKED], { node: 'c' }, 'invalid', 'no node "c"'],
])('an address %s: no node is asked', async (_name, held, body, problem, says) => {
  hold('a', ...held);
  await expect(release(body)).rejects.toMatchObject({ problem, message: expect.stringContaining(says) as string });
  expect(await requestOf('a')).toBeUndefined();
});

function without(field: 'releasable' | 'containerId'): AddressMessage {
  const { [field]: _left, ...rest } = LEAKED;
  return rest;
}

test('an address of two nodes needs the name of one', async () => {
  hold('b', { ...LEAKED, containerId: 'its' });
  await expect(release()).rejects.toMatchObject({ problem: 'conflict' });
  const releasing = release({ node: 'b' });
  expect(await answerAs('b', { result: 'released', detail: '' })).toMatchObject({ containerId: 'its' });
  expect(await releasing).toMatchObject({ body: { node: 'b' } });
});

test('texts of one IPv6 address are one', async () => {
  hold('a', { ...LEAKED, address: 'fd00::7' });
  expect(await release({}, { address: 'FD00:0:0::7', dryRun: true })).toMatchObject({ body: { address: 'fd00::7' } });
});

test('a node that cannot be asked may have it', async () => {
  hold('a');
  world.nodes.close('b', 'flanneld');
  await expect(release()).rejects.toMatchObject({
    problem: 'unavailable',
    message: expect.stringContaining('not asked: b') as string,
  });
});

test('one request at a time to a node', async () => {
  const first = release();
  await waitFor('the request', () => requestOf('a'));
  await expect(release()).rejects.toMatchObject({
    problem: 'conflict',
    message: expect.stringContaining('under way') as string,
  });
  await answerAs('a', { result: 'released', detail: '' });
  await first;
});

test('a request of another server is waited for, and one whose time is over is in nobody’s way', async () => {
  const left = (untilMs: number): Readonly<Record<string, string>> => {
    const request = { id: 'left', address: ADDRESS, containerId: 'c', until: new Date(untilMs).toISOString() };
    return { [ADDRESS_RELEASE_REQUEST]: JSON.stringify(request) };
  };
  await world.addNode('c', { annotations: left(NOW + 1_000) });
  await world.addNode('d', { annotations: left(NOW - 1_000) });
  for (const node of ['c', 'd']) hold(node, LEAKED);
  await expect(release({ node: 'c' })).rejects.toMatchObject({ problem: 'conflict' });
  const releasing = release({ node: 'd' });
  await waitFor('its own request', async () => (await requestOf('d'))?.id !== 'left');
  await answerAs('d', { result: 'released', detail: '' });
  await releasing;
});
