import type { AddressAssignment, Lease } from '@canal/admin-client';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type Answers, listOf, Refusal, startAdminApi } from '../admin/admin-api.fixture.ts';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { EXIT } from '../exit-code.ts';
import { pool } from '../status/cluster.fixture.ts';
import { checkAddresses } from './check-addresses.ts';

const api = startAdminApi({});
afterAll(() => api.close());
const ipam = (...words: readonly string[]): Promise<Ran> => runCommand(['ipam', ...words, ...api.flags]);

function held(address: string, node: string, more: Partial<AddressAssignment> = {}): AddressAssignment {
  const pod = { namespace: 'shop', name: `web-${address.split(/[.:]/).at(-1) ?? ''}` };
  return { address, node, state: 'in-use', containerId: 'c0ffee', interface: 'eth0', pod, ...more };
}

function lease(node: string, subnet: string): Lease {
  return { node, family: subnet.includes(':') ? 6 : 4, subnet, faults: [] };
}

const ADDRESSES = [held('10.244.1.2', 'n1'), held('10.244.2.2', 'n2'), held('fd00:1::2', 'n1')];
const LEASES = [lease('n1', '10.244.1.0/24'), lease('n1', 'fd00:1::/64'), lease('n2', '10.244.2.0/24')];

function answers(
  addresses: readonly AddressAssignment[],
  missing: readonly { node: string; reason: string }[] = [],
): Answers {
  const ofNode = (items: readonly { readonly node: string }[], query: URLSearchParams): unknown => {
    const name = query.get('node');
    if (name === 'n9') throw new Refusal('not-found', 'there is no node n9');
    return listOf(
      items.filter(({ node }) => name === null || node === name),
      missing,
    );
  };
  const large = pool(1, { subnet: 'fd00:1::/64', capacity: '18446744073709551614' });
  return {
    listAddresses: ({ query }) => ofNode(addresses, query),
    listAddressPools: ({ query }) => ofNode([pool(1), large, pool(2, { inUse: 0, leaked: 1, capacity: '0' })], query),
    listLeases: () => listOf(LEASES),
  };
}

test('show: what each node has', async () => {
  api.use(answers(ADDRESSES));
  expect(await ipam('show')).toEqual({
    exitCode: EXIT.ok,
    err: '',
    out: `\
NODE  CIDR           IPS TOTAL   IPS IN USE  IPS FREE           LEAKED
n1    10.244.1.0/24  253         5 (2%)      248 (98%)          0
n1    fd00:1::/64    1.8447e+19  5 (0%)      1.8447e+19 (100%)  0
n2    10.244.2.0/24  0           1 (0%)      0 (0%)             1
`,
  });
});

test('show --addresses: who has which, of one node', async () => {
  api.use(answers(ADDRESSES));
  expect((await ipam('show', '--addresses', '--node', 'n1', '-o', 'name')).out).toBe('10.244.1.2\nfd00:1::2\n');
  expect((await ipam('show', '--addresses', '-o', 'wide')).out).toContain(
    '10.244.2.2  n2    in-use  shop/web-2  -      eth0       c0ffee\n',
  );
  expect(JSON.parse((await ipam('show', '--node', 'n2', '-o', 'json')).out)).toMatchObject([{ node: 'n2' }]);
});

test('show: a list that is not whole says so', async () => {
  api.use(answers(ADDRESSES, [{ node: 'n3', reason: 'no answer' }]));
  const { exitCode, err } = await ipam('show');
  expect([exitCode, err]).toEqual([
    EXIT.unhealthy,
    'n3 is missing: no answer\n  "canalctl node status n3" says more\n',
  ]);
});

test('show: a node that is not there', async () => {
  expect((await ipam('show', '--node', 'n9')).exitCode).toBe(EXIT.notFound);
});

test('check', async () => {
  api.use(answers(ADDRESSES));
  expect(await ipam('check')).toEqual({
    exitCode: EXIT.ok,
    err: '',
    out: 'addresses: 3, subnets: 3; nothing is wrong\n',
  });
  api.use(answers([...ADDRESSES, held('10.244.1.9', 'n1', { state: 'leaked' })]));
  const { exitCode, out } = await ipam('check');
  expect([exitCode, out]).toEqual([
    EXIT.unhealthy,
    expect.stringMatching(/^leak: 10\.244\.1\.9 on n1 is held by pod shop\/web-9, which is gone\n {2}cause: /),
  ]);
  expect(JSON.parse((await ipam('check', '-o', 'json')).out)).toMatchObject({
    findings: [{ kind: 'leak', node: 'n1' }],
  });
});

describe('what is found', () => {
  test.each<[string, readonly AddressAssignment[], readonly Lease[], readonly string[]]>([
    ['nothing', ADDRESSES, LEASES, []],
    [
      'a leak of a container without a pod',
      [leaked()],
      LEASES,
      ['leak 10.244.1.3 on n1 is held by container c0ffee, which is gone'],
    ],
    [
      'twice on two nodes',
      [held('10.244.1.2', 'n1'), held('10.244.1.2', 'n2')],
      [...LEASES, lease('n2', '10.244.1.0/24')],
      [
        'duplicate 10.244.1.2 is held 2 times: pod shop/web-2 on n1, pod shop/web-2 on n2',
        'overlap 10.244.1.0/24 of n1 and 10.244.1.0/24 of n2 overlap',
      ],
    ],
    [
      'outside',
      [held('10.244.7.2', 'n1')],
      LEASES,
      ['outside 10.244.7.2 of pod shop/web-2 is not of a subnet of n1 (10.244.1.0/24, fd00:1::/64)'],
    ],
    [
      'of a node without a lease',
      [held('10.244.7.2', 'n7')],
      LEASES,
      ['outside 10.244.7.2 of pod shop/web-2 is not of a subnet of n7 (it has none)'],
    ],
    [
      'subnets in each other',
      [],
      [lease('a', '10.0.0.0/8'), lease('b', '10.1.0.0/24'), lease('b', 'fd00::/64')],
      ['overlap 10.0.0.0/8 of a and 10.1.0.0/24 of b overlap'],
    ],
  ])('%s', (_name, addresses, leases, found) => {
    expect(checkAddresses(addresses, leases, []).map(({ kind, what }) => `${kind} ${what}`)).toEqual(found);
  });

  function leaked(): AddressAssignment {
    const { pod: _pod, ...rest } = held('10.244.1.3', 'n1', { state: 'leaked' });
    return rest;
  }

  test('addresses within their leases, each once: never anything', () => {
    const hosts = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 254 })), {
      selector: ([node, host]) => `${node}.${host}`,
    });
    fc.assert(
      fc.property(hosts, (pairs) => {
        const leases = [...new Set(pairs.map(([node]) => node))].map((node) =>
          lease(`n${node}`, `10.244.${node}.0/24`),
        );
        const addresses = pairs.map(([node, host]) => held(`10.244.${node}.${host}`, `n${node}`));
        expect(checkAddresses(addresses, leases, [])).toEqual([]);
        // One more holder of any of them is found.
        const [first] = addresses;
        if (first !== undefined) expect(checkAddresses([...addresses, first], leases, [])).toHaveLength(1);
      }),
    );
  });
});
