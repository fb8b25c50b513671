import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ANY_CLUSTER_FILES, chooseGroups, GROUPS } from './groups.ts';

describe('groups', () => {
  test('name files that exist', () => {
    const files = new Set([...GROUPS.flatMap((group) => group.files), ...ANY_CLUSTER_FILES]);
    const missing = [...files].filter((file) => !existsSync(new URL(`./${file}.e2e.ts`, import.meta.url)));
    expect(missing).toEqual([]);
  });

  test('install first wherever there is a cluster', () => {
    const first = GROUPS.filter(({ cluster }) => cluster !== undefined).map(({ files }) => files[0]);
    expect(new Set(first)).toEqual(new Set(['scenarios/install']));
  });

  test('cover each backend, family, kube-proxy mode and pod mode', () => {
    const covered = GROUPS.flatMap(({ backend, podMode, cluster }) =>
      cluster === undefined
        ? []
        : [JSON.stringify(backend), podMode, cluster.kubeProxy, `${JSON.stringify(backend)} ${cluster.ipFamily}`],
    );
    const backends = ['{"Type":"vxlan"}', '{"Type":"vxlan","DirectRouting":true}', '{"Type":"host-gw"}'];
    const families = backends.flatMap((backend) => [`${backend} ipv4`, `${backend} dual`]);
    const wanted = [...families, 'routed', 'bridge', 'iptables', 'nftables'];
    expect(wanted.filter((one) => !covered.includes(one))).toEqual([]);
  });

  test('that are long run with --all or by name', () => {
    expect(chooseGroups([], false).every(({ long }) => !long)).toBe(true);
    expect(chooseGroups([], true)).toEqual(GROUPS);
    expect(chooseGroups(['vxlan-bridge'], false).map(({ name }) => name)).toEqual(['vxlan-bridge']);
    expect(() => chooseGroups(['ipip'], false)).toThrow('no group ipip: there are vxlan, ');
  });
});
