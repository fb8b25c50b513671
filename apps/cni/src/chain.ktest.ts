/** Canal among other plugins: before them, behind them, and in the place of flannel's. */
import { CniPluginError } from '@canal/node-state/runtime';
import { describe, expect, test } from 'vitest';
import { CniNode, globalAddresses, ipJson } from './testing/cni-node.ts';

type Interfaces = { name: string; sandbox?: string; mac?: string }[];

describe('in front of other plugins', () => {
  test('portmap and tuning take its result, and CHECK and DEL go through all of them', async () => {
    using plain = new CniNode();
    const plugins = [
      plain.plugin(),
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } },
    ];
    using node = new CniNode({ plugins });
    node.writeSubnet(['FLANNEL_NETWORK=10.244.0.0/16', 'FLANNEL_SUBNET=10.244.1.1/24']);
    const list = node.list('1.0.0');
    const pod = node.pod('a');
    const capabilityArgs = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    const result = await node.runtime.add(list, { ...pod, capabilityArgs });
    expect(result).toMatchObject({ cniVersion: '1.0.0', ips: [{ address: '10.244.1.2/32', interface: 1 }] });
    expect(pod.run('sysctl', '-n', 'net.core.somaxconn').trim()).toBe('500');
    expect(node.run('iptables-save', '-t', 'nat')).toContain('10.244.1.2:80');
    await node.runtime.check(list, pod);
    await node.runtime.del(list, { ...pod, capabilityArgs });
    expect(node.run('iptables-save', '-t', 'nat')).not.toContain('10.244.1.2:80');
  });

  test('tuning changes the MAC: CHECK says that the host’s neighbour entry does not fit', async () => {
    using plain = new CniNode();
    using node = new CniNode({ plugins: [plain.plugin(), { type: 'tuning', mac: '02:00:00:00:00:09' }] });
    const list = node.list('1.0.0');
    const pod = node.pod('a');
    const result = await node.runtime.add(list, pod);
    expect((result['interfaces'] as Interfaces)[1]?.mac).toBe('02:00:00:00:00:09');
    const error: unknown = await node.runtime.check(list, pod).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CniPluginError);
    expect(error instanceof CniPluginError && error.details).toContain('no permanent neighbour entry');
    await node.runtime.del(list, pod);
  });
});

describe('behind other plugins', () => {
  test('its interfaces, addresses and routes are added to their result', async () => {
    using plain = new CniNode();
    using node = new CniNode({ plugins: [{ type: 'loopback' }, plain.plugin()] });
    const list = node.list('1.0.0');
    const pod = node.pod('a');
    const result = await node.runtime.add(list, pod);
    const interfaces = result['interfaces'] as Interfaces;
    expect(interfaces.map(({ name }) => name)).toEqual(['lo', expect.stringMatching(/^cnl/), 'eth0']);
    const ips = result['ips'] as { address: string; interface: number }[];
    expect(ips.find(({ address }) => address === '10.244.1.2/32')?.interface).toBe(2);
    expect(ips.find(({ address }) => address === '127.0.0.1/8')?.interface).toBe(0);
    await node.runtime.del(list, pod);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
  });

  test('a plugin that made the interface already: an error, and nothing of ours is left', async () => {
    using plain = new CniNode();
    const bridge = {
      type: 'bridge',
      bridge: 'other0',
      ipam: { type: 'host-local', dataDir: plain.folder, subnet: '10.9.0.0/24' },
    };
    using node = new CniNode({ plugins: [bridge, plain.plugin()] });
    const list = node.list('1.0.0');
    const pod = node.pod('a');
    await expect(node.runtime.add(list, pod)).rejects.toThrow('interface "eth0" exists already');
    expect(plain.files()).toEqual([]);
    await node.runtime.del(list, pod);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
  });
});

describe('in flannel’s place', () => {
  /** 10-flannel.conflist as flannel's manifest installs it, with this test's folders. */
  const flannel = (folder: string) => [
    {
      type: 'flannel',
      subnetFile: `${folder}/subnet.env`,
      dataDir: `${folder}/flannel-cache`,
      stateDir: `${folder}/state`,
      delegate: { hairpinMode: true, isDefaultGateway: true },
      ipam: { dataDir: `${folder}/networks` },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];

  test('its configuration gives what flannel and the bridge plugin give: cni0, /24, default route, cluster route', async () => {
    using plain = new CniNode();
    using node = new CniNode({ plugins: flannel(plain.folder) });
    const pod = node.pod('a');
    const result = await node.runtime.add(node.list('0.3.1'), pod);
    expect(result).toMatchObject({
      cniVersion: '0.3.1',
      ips: [{ version: '4', address: '10.244.1.2/24', gateway: '10.244.1.1' }],
    });
    expect(globalAddresses(pod)).toEqual(['10.244.1.2/24']);
    const routes = ipJson(pod.run('ip', '-j', 'route')).map(({ dst, gateway }) => [dst, gateway]);
    expect(routes).toEqual([
      ['default', '10.244.1.1'],
      ['10.244.0.0/16', '10.244.1.1'],
      ['10.244.1.0/24', undefined],
    ]);
    expect(node.ip('-d', 'link', 'show', 'master', 'cni0')[0]?.linkinfo?.info_slave_data?.hairpin).toBe(true);
    node.run('ping', '-c', '1', '-W', '2', '10.244.1.2');
    await node.runtime.del(node.list('0.3.1'), pod);
    expect(plain.files()).toEqual([]);
  });

  test('a pod that the bridge plugin and host-local made is taken down by canal, link and address', async () => {
    using node = new CniNode({ mode: 'bridge' });
    const pod = node.pod('old');
    await node.call('VERSION', {});
    // What flannel's plugin would have executed.
    const delegate = {
      cniVersion: '1.0.0',
      name: 'canal',
      type: 'bridge',
      bridge: 'cni0',
      isDefaultGateway: true,
      ipam: { type: 'host-local', dataDir: `${node.folder}/networks`, ranges: [[{ subnet: '10.244.1.0/24' }]] },
    };
    await node.callPlugin('/usr/lib/cni/bridge', 'ADD', delegate, pod);
    expect(node.files()).toEqual(['address 10.244.1.2']);
    const next = node.pod('next');
    await node.runtime.add(node.list(), next);
    expect(globalAddresses(next)).toEqual(['10.244.1.3/24']);
    next.run('ping', '-c', '1', '-W', '2', '10.244.1.2');
    await node.runtime.del(node.list(), pod);
    expect(node.files()).toEqual(['address 10.244.1.3', 'record next:eth0.json']);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
  });
});
