import type { Policy } from '@canal/admin-client';
import { expect, test } from 'vitest';
import { KINDS } from './kinds.ts';

const SINCE = '2026-11-21T10:00:00.000Z';

function cells(hits?: Policy['hits']): Readonly<Record<string, string>> {
  const policy: Policy = {
    namespace: 'shop',
    name: 'db',
    kind: 'NetworkPolicy',
    directions: ['ingress', 'egress'],
    selects: 2,
    problems: [],
    ...(hits && { hits }),
  };
  const { columns } = KINDS.networkpolicies.view;
  return Object.fromEntries(columns.map(({ title, cell }) => [title, cell(policy)]));
}

test('policies show what each of their rules allowed, what others may have, and what none did', () => {
  const counted = { packets: 5, bytes: 300, since: SINCE };
  const hits: Policy['hits'] = [
    { ...counted, direction: 'ingress', rule: 0 },
    { ...counted, direction: 'ingress', rule: 1, sharedPackets: 3 },
    { ...counted, direction: 'ingress', packets: 40 },
    { ...counted, direction: 'egress', rule: 0, packets: 0 },
    { ...counted, direction: 'egress', packets: 2 },
  ];
  expect(cells(hits)).toMatchObject({
    DENIED: '42',
    'ALLOWED BY RULE': 'ingress[0]: 5, ingress[1]: 2-5, egress[0]: 0',
  });
  expect(cells()).toMatchObject({ DENIED: '-', 'ALLOWED BY RULE': '-' });
});
