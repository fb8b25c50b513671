import { type Labels, type LabelSelector, type PolicyPod, selects } from '@canal/model';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allowPeerOf, type PodPeer } from './allow-peer.ts';
import { PeerIndex } from './peer-index.ts';
import type { PeerSelector } from './peer-selector.ts';
import { labelled, podOf } from './testing/objects.ts';

const LABELS: readonly Labels[] = [{}, { x: '1' }, { x: '2' }, { x: '1', y: '1' }, { y: '2' }];
const SELECTORS: readonly LabelSelector[] = [
  [],
  labelled({ x: '1' }),
  [{ key: 'x', operator: 'In', values: ['1', '2'] }],
  [{ key: 'x', operator: 'NotIn', values: ['1'] }],
  [{ key: 'y', operator: 'Exists' }],
  [{ key: 'y', operator: 'DoesNotExist' }],
  [{ key: 'x', operator: 'NotIn', values: Array.from({ length: 20 }, (_, index) => `${index * 2}`) }],
];
const PEERS = (['own', ...SELECTORS] as const)
  .flatMap((namespaces) => SELECTORS.map((pods) => allowPeerOf({ type: 'pods', namespaces, pods }, 'a')))
  .filter((peer): peer is PodPeer => peer?.type === 'pods');
const NAMESPACES = ['a', 'b'];

const labels = fc.constantFrom(...LABELS);
const pod = fc
  .tuple(fc.constantFrom(...NAMESPACES), fc.nat(5), labels)
  .map(([namespace, index, own]) =>
    podOf(`${namespace}/p${index}`, `10.0.${NAMESPACES.indexOf(namespace)}.${index}`, { labels: own }),
  );
const event = fc.oneof(
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...PEERS), { maxLength: 20 }).map((take) => ({ take })) },
  { weight: 2, arbitrary: fc.nat(3).map((drop) => ({ drop })) },
  { weight: 3, arbitrary: pod.map((put) => ({ put })) },
  { weight: 1, arbitrary: pod.map((remove) => ({ remove })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...NAMESPACES), labels).map((relabel) => ({ relabel })) },
);

test('an address has the selectors that select its pod and no others, however few or many came and went at once', () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 3, maxLength: 25 }), (events) => {
      const index = new PeerIndex(() => undefined);
      const pods = new Map<string, PolicyPod>();
      const namespaces = new Map<string, Labels>();
      const taken: (readonly PeerSelector[])[] = [];
      const isSelected = (peer: PodPeer, { namespace, labels: own }: PolicyPod): boolean => {
        if (!selects(peer.pods, own)) return false;
        if (typeof peer.namespaces === 'string') return peer.namespaces === namespace;
        const known = namespaces.get(namespace);
        return known !== undefined && selects(peer.namespaces, known);
      };
      for (const now of events) {
        if ('take' in now) {
          taken.push(index.takeSelectors(now.take));
        } else if ('drop' in now) {
          index.dropSelectors(taken.splice(now.drop, 2).flat());
        } else if ('put' in now) {
          index.putPod(now.put);
          pods.set(`${now.put.namespace}/${now.put.name}`, now.put);
        } else if ('remove' in now) {
          index.deletePod(now.remove.namespace, now.remove.name);
          pods.delete(`${now.remove.namespace}/${now.remove.name}`);
        } else {
          const [name, own] = now.relabel;
          index.putNamespace({ name, labels: own });
          namespaces.set(name, own);
        }
        const live = new Set(taken.flat().map(({ text }) => text));
        const wanted = new Map(
          [...pods.values()].map((owner) => [
            owner.addresses[0],
            PEERS.filter((peer) => live.has(peer.text) && isSelected(peer, owner)).map(({ text }) => text),
          ]),
        );
        const found = new Map<unknown, string[]>();
        index.forEachAddress((ip, { selection }) =>
          found.set(
            ip,
            Array.from(selection.value, ({ text }) => text),
          ),
        );
        const sorted = (map: ReadonlyMap<unknown, readonly string[]>): unknown =>
          [...map].map(([ip, texts]) => [ip, [...texts].sort()]).sort();
        expect(sorted(found)).toEqual(sorted(wanted));
      }
    }),
    { numRuns: 300 },
  );
});
