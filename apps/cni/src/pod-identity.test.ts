import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import fc from 'fast-check';
import { isUnicastMac, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { bridgeMac, podIdentity } from './pod-identity.ts';

function identity(network: string, id: string, name: string) {
  return podIdentity(unwrap(parseNetworkName(network)), unwrap(parseContainerId(id)), unwrap(parseInterfaceName(name)));
}

/** Written down once: a change would make the links of running pods unknown to DEL. */
test('names and MACs never change from one version to the next', () => {
  expect(identity('canal', '4f2b0c', 'eth0')).toEqual({
    hostInterface: 'cnl203450bf34f',
    hostMac: '92:36:db:91:6b:29',
    containerMac: 'a6:79:19:09:c3:37',
  });
  expect(bridgeMac(unwrap(parseInterfaceName('cni0')), '10.244.1.1/24')).toBe('6e:b7:9e:09:8e:d5');
});

test('they are valid, locally administered, and differ for whatever differs', () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,10}$/);
  const triple = fc.tuple(name, name, name);
  fc.assert(
    fc.property(triple, triple, (a, b) => {
      const [first, second] = [identity(...a), identity(...b)];
      expect(first.hostInterface).toMatch(/^cnl[0-9a-f]{11}$/);
      for (const mac of [first.hostMac, first.containerMac]) {
        expect(unwrap(parseMac(mac))).toBe(mac);
        expect(isUnicastMac(mac)).toBe(true);
        expect(parseInt(mac.slice(0, 2), 16) & 2).toBe(2);
      }
      expect(first.hostMac).not.toBe(first.containerMac);
      expect(first.hostInterface === second.hostInterface).toBe(a.join('/') === b.join('/'));
    }),
  );
});

test('parts do not run into each other: a-b + c is not a + b-c', () => {
  expect(identity('a', 'b', 'cd').hostInterface).not.toBe(identity('a', 'bc', 'd').hostInterface);
  expect(identity('ab', 'c', 'd').hostInterface).not.toBe(identity('a', 'bc', 'd').hostInterface);
});
