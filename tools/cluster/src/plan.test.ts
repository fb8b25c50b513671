import { describe, expect, test } from 'vitest';

import { ClusterError } from './failure.ts';
import { apiServerUrl, clusterCidrs, hostLink, nodeName, parseName, underlay } from './plan.ts';

describe('names', () => {
  test.each(['canal', 'h3', 'a', 'a-b'])('%s is a name', (name) => {
    expect(parseName(name)).toBe(name);
  });

  test.each(['', '3h', 'A', 'a_b', 'a-', '../x', 'a'.repeat(41)])('%j is refused with what is expected', (name) => {
    expect(() => parseName(name)).toThrow(ClusterError);
    expect(() => parseName(name)).toThrow(/--name .*expected a lower-case letter/);
  });

  test('nodes are numbered', () => {
    expect(nodeName('h3', 2)).toBe('h3-2');
  });
});

describe('underlay', () => {
  test('IPv4 alone', () => {
    const plan = underlay(7, 'ipv4');
    expect([plan.controlPlane, plan.node(1), plan.node(200), plan.outside, plan.host]).toEqual([
      ['172.30.7.1'],
      ['172.30.7.11'],
      ['172.30.7.210'],
      ['172.30.7.250'],
      ['172.30.7.254'],
    ]);
  });

  test('dual: the IPv6 network carries the same number', () => {
    expect(underlay(250, 'dual').node(2)).toEqual(['172.30.250.12', 'fd00:172:30:fa::c']);
  });

  test('the link into the machine fits an interface name', () => {
    expect(hostLink(250).length).toBeLessThan(16);
    expect(apiServerUrl(7)).toBe('https://172.30.7.1:6443');
  });
});

test('services: the API server has the first address, DNS the tenth, in both families', () => {
  expect(clusterCidrs('ipv4').dns).toEqual(['10.96.0.10']);
  expect(clusterCidrs('dual')).toEqual({
    pods: ['10.244.0.0/16', 'fd00:10:244::/56'],
    services: ['10.96.0.0/16', 'fd00:10:96::/112'],
    apiService: ['10.96.0.1', 'fd00:10:96::1'],
    dns: ['10.96.0.10', 'fd00:10:96::a'],
  });
});
