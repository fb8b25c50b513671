import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { addons } from './addons.ts';
import {
  apiServerArguments,
  containerdConfig,
  controllerManagerArguments,
  etcdArguments,
  kubeProxyConfig,
  kubeletArguments,
  kubeletConfig,
  schedulerArguments,
} from './component-config.ts';
import { nodeInitScript } from './node-init.ts';
import { baseRuntimeSpec } from './oci-base.ts';
import { alternativeNames } from './pki.ts';
import { clusterCidrs, folders, underlay } from './plan.ts';

const control = (family: 'ipv4' | 'dual') => ({
  folders: folders('t'),
  addresses: underlay(7, family).controlPlane,
  cidrs: clusterCidrs(family),
  ipFamily: family,
});
const node = (family: 'ipv4' | 'dual') => ({
  name: 't-1',
  ips: underlay(7, family).node(1),
  home: '/var/lib/canal-cluster/t/nodes/t-1',
  authority: '/pki/ca.crt',
  cgroupRoot: '/canal-cluster-t/t-1',
  cidrs: clusterCidrs(family),
  kubeProxy: 'nftables' as const,
});

describe('control plane', () => {
  test('the API server authorizes nodes and roles, restricts nodes, and finds kubelets by address', () => {
    expect(apiServerArguments(control('dual'))).toEqual(
      expect.arrayContaining([
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--advertise-address=172.30.7.1',
        '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
        '--kubelet-preferred-address-types=InternalIP',
      ]),
    );
  });

  test.each([
    ['ipv4' as const, ['--cluster-cidr=10.244.0.0/16', '--node-cidr-mask-size=24']],
    [
      'dual' as const,
      [
        '--cluster-cidr=10.244.0.0/16,fd00:10:244::/56',
        '--node-cidr-mask-size-ipv4=24',
        '--node-cidr-mask-size-ipv6=64',
      ],
    ],
  ])('the controller manager gives %s pod CIDRs to nodes', (family, expected) => {
    expect(controllerManagerArguments(control(family))).toEqual(
      expect.arrayContaining(['--allocate-node-cidrs=true', ...expected]),
    );
  });

  test('the folder for volume plugins is not the default one, which is the one of the machine', () => {
    expect(controllerManagerArguments(control('ipv4'))).toContain(
      '--flex-volume-plugin-dir=/var/lib/canal-cluster/t/volume-plugins',
    );
    expect(parse(kubeletConfig(node('ipv4')))).toMatchObject({ volumePluginDir: '/var/lib/kubelet/volume-plugins' });
  });

  test('etcd listens in its own namespace alone; nothing elects leaders', () => {
    expect(
      etcdArguments(control('ipv4')).filter((word) => word.includes('listen') && !word.includes('127.0.0.1')),
    ).toEqual([]);
    expect(schedulerArguments(control('ipv4'))).toContain('--leader-elect=false');
  });
});

describe('node', () => {
  test('the kubelet has a cgroup root of its own, runs on version 1, and asks the API server about callers', () => {
    const config = parse(kubeletConfig(node('dual'))) as Record<string, unknown>;
    expect(config).toMatchObject({
      cgroupRoot: '/canal-cluster-t/t-1',
      cgroupDriver: 'cgroupfs',
      failCgroupV1: false,
      clusterDNS: ['10.96.0.10'],
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      authorization: { mode: 'Webhook' },
    });
    expect(kubeletArguments(node('dual'))).toContain('--node-ip=172.30.7.11,fd00:172:30:7::b');
  });

  test("kube-proxy leaves the machine's connection limits alone", () => {
    expect(parse(kubeProxyConfig(node('ipv4')))).toMatchObject({
      mode: 'nftables',
      clusterCIDR: '10.244.0.0/16',
      conntrack: { maxPerCore: 0, min: 0 },
    });
  });

  test('containerd takes the pinned pause image and the base spec', () => {
    const config = containerdConfig('/n/oci-base.json');
    expect(config).toContain("sandbox = 'registry.k8s.io/pause:");
    expect(config).toContain("base_runtime_spec = '/n/oci-base.json'");
  });

  test('the base spec keeps all but the limits, and lays the boot id over', () => {
    const spec = JSON.stringify({ ociVersion: '1.3.0', process: { cwd: '/', rlimits: [{}] }, linux: { x: 1 } });
    const base = JSON.parse(baseRuntimeSpec(spec, '/n/boot_id')) as {
      hooks: { createContainer: { args: string[] }[] };
    };
    expect(base).toMatchObject({ ociVersion: '1.3.0', process: { cwd: '/' }, linux: { x: 1 } });
    expect(JSON.stringify(base)).not.toContain('rlimits');
    expect(base.hooks.createContainer[0]?.args[2]).toContain('mount --bind /n/boot_id "$target"');
  });

  test('the init script lets other namespaces go before it mounts, and shares its mounts last', () => {
    const script = nodeInitScript({ name: 't-1', home: '/n', ready: '/n/ready', nodes: [['t-1', ['172.30.7.11']]] });
    const order = [
      'nsfs',
      'mount -t sysfs',
      'mount --bind /n/root/run /run',
      'boot_id',
      'make-rshared',
      'touch /n/ready',
      'exec',
    ];
    const positions = order.map((text) => script.indexOf(text));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(positions).not.toContain(-1);
    expect(script).toContain('172.30.7.11 t-1');
  });
});

test('cluster DNS has the tenth address of each family', () => {
  const objects = addons(clusterCidrs('dual'), 'dual')
    .split('---\n')
    .map((text) => parse(text) as { readonly kind: string });
  expect(objects.map(({ kind }) => kind)).toEqual([
    'ServiceAccount',
    'ClusterRole',
    'ClusterRoleBinding',
    'ConfigMap',
    'Service',
    'Deployment',
  ]);
  expect(objects[4]).toMatchObject({
    spec: { clusterIPs: ['10.96.0.10', 'fd00:10:96::a'], ipFamilyPolicy: 'RequireDualStack' },
  });
});

test('alternative names: addresses of both families apart from DNS names', () => {
  expect(alternativeNames(['a-1', 'x.svc', '10.0.0.1', 'fd00::1'])).toBe('DNS:a-1,DNS:x.svc,IP:10.0.0.1,IP:fd00::1');
});
