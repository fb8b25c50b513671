import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { CNI_PLUGINS, KUBERNETES_MINORS, PROMTOOL, buildKey, goModules, requiredVersion } from './programs.ts';

const GO = join(import.meta.dirname, '..', 'go');

describe('pins', () => {
  test.each(KUBERNETES_MINORS)(
    'every module of Kubernetes %s has a go.mod and go.sum that pin what is built',
    (minor) => {
      for (const { folder, pinned } of [...goModules(minor), PROMTOOL]) {
        const goMod = readFileSync(join(GO, folder, 'go.mod'), 'utf8');
        expect([folder, requiredVersion(goMod, pinned)]).toEqual([folder, expect.stringMatching(/^v\d+\.\d+\.\d+$/)]);
        expect(existsSync(join(GO, folder, 'go.sum'))).toBe(true);
      }
    },
  );

  test.each(KUBERNETES_MINORS)(
    'Kubernetes %s: its version is of that minor, its staging modules are of the same',
    (minor) => {
      const goMod = readFileSync(join(GO, `kubernetes-${minor}`, 'go.mod'), 'utf8');
      const version = requiredVersion(goMod, 'k8s.io/kubernetes') ?? '';
      expect(version.startsWith(`v${minor}.`)).toBe(true);
      const replaced = [...goMod.matchAll(/^\tk8s\.io\/\S+ => k8s\.io\/\S+ (v\S+)$/gm)].map((match) => match[1]);
      expect(replaced.length).toBeGreaterThan(25);
      expect(new Set(replaced)).toEqual(new Set([version.replace('v1.', 'v0.')]));
    },
  );

  test('each program is built once', () => {
    const built = goModules('1.36').flatMap(({ steps }) => steps.flat().map(({ program }) => program));
    expect(new Set(built).size).toBe(built.length);
    expect(built).toEqual(
      expect.arrayContaining(['kubelet', 'kubectl', 'agnhost', 'etcd', 'ctr', 'coredns', ...CNI_PLUGINS]),
    );
  });
});

describe('requiredVersion', () => {
  const goMod = `module x

require k8s.io/kubernetes v1.36.3 // indirect

require (
\tk8s.io/api v0.36.3 // indirect
\tgo.etcd.io/etcd/server/v3 v3.6.16
)

replace k8s.io/client-go => k8s.io/client-go v0.36.3
`;
  test.each([
    ['k8s.io/kubernetes', 'v1.36.3'],
    ['k8s.io/api', 'v0.36.3'],
    ['go.etcd.io/etcd/server/v3', 'v3.6.16'],
    ['k8s.io/client-go', undefined],
    ['k8s.io/kube', undefined],
  ])('%s → %s', (module, version) => {
    expect(requiredVersion(goMod, module)).toBe(version);
  });
});

test('Kubernetes programs are told their version by the linker', () => {
  const kubernetes = goModules('1.36').at(-1);
  expect(kubernetes?.ldflags('v1.36.3')).toBe(
    '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 ' +
      '-X k8s.io/component-base/version.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 ' +
      '-X k8s.io/client-go/pkg/version.gitMajor=1 -X k8s.io/client-go/pkg/version.gitMinor=36',
  );
});

test('the folder of built programs changes with the pins, the sums and the machine, and with nothing else', () => {
  const [module] = goModules('1.36');
  if (module === undefined) throw new Error('no module');
  const key = buildKey(module, 'require go.etcd.io/etcd/server/v3 v3.6.16', 'sum', 'x64');
  expect(key).toMatch(/^etcd-[0-9a-f]{12}$/);
  expect(buildKey(module, 'require go.etcd.io/etcd/server/v3 v3.6.16', 'sum', 'x64')).toBe(key);
  const others = [
    buildKey(module, 'require go.etcd.io/etcd/server/v3 v3.6.17', 'sum', 'x64'),
    buildKey(module, 'require go.etcd.io/etcd/server/v3 v3.6.16', 'other', 'x64'),
    buildKey(module, 'require go.etcd.io/etcd/server/v3 v3.6.16', 'sum', 'arm64'),
    buildKey({ ...module, tags: 'x' }, 'require go.etcd.io/etcd/server/v3 v3.6.16', 'sum', 'x64'),
  ];
  expect(new Set([key, ...others]).size).toBe(5);
});
