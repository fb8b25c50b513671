import { expect, test } from 'vitest';
import { parseNodes, prefixWords } from './open-world.ts';
import { addressOf, podManifest, slug } from './pods.ts';
import { endpointHost, endpointText } from './services.ts';
import { missing, type World } from './world.ts';

test('a command prefix is split at blanks, {node} replaced', () => {
  expect(prefixWords('docker exec  {node}', 'kind-worker')).toEqual(['docker', 'exec', 'kind-worker']);
  expect(prefixWords('ssh root@{node}.lab', 'n1')).toEqual(['ssh', 'root@n1.lab']);
});

test('nodes are read by name, with their InternalIPs alone', () => {
  const node = (name: string, ip: string): object => ({
    metadata: { name },
    spec: { podCIDRs: ['10.244.0.0/24'] },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address: ip },
      ],
    },
  });
  expect(parseNodes(JSON.stringify({ items: [node('b', '10.0.0.2'), node('a', '10.0.0.1')] }))).toEqual([
    { name: 'a', ips: ['10.0.0.1'], podCidrs: ['10.244.0.0/24'] },
    { name: 'b', ips: ['10.0.0.2'], podCidrs: ['10.244.0.0/24'] },
  ]);
});

test('what a world lacks is said; what it has is not', () => {
  const settings = { families: ['ipv4'] };
  const world = { settings, nodeExec: () => undefined } as unknown as World;
  expect(missing(world, 'node-exec')).toBeUndefined();
  expect(missing(world, 'node-control')).toContain('control of the machines');
  expect(missing(world, 'outside')).toContain('--outside-exec');
  expect(missing(world, 'ipv4')).toBeUndefined();
  expect(missing(world, 'ipv6')).toBe('the cluster has no ipv6 pods');
});

test('pods tolerate everything, hold no token, and are asked whether they serve', () => {
  const manifest = podManifest('ns', { name: 'a', node: 'n1', httpPort: 81 });
  expect(manifest).toMatchObject({
    metadata: { name: 'a', namespace: 'ns' },
    spec: { nodeName: 'n1', automountServiceAccountToken: false, tolerations: [{ operator: 'Exists' }] },
  });
  expect(manifest).toHaveProperty('spec.containers.0.readinessProbe.httpGet.port', 81);
  expect(podManifest('ns', { name: 'a', args: ['pause'] })).not.toHaveProperty('spec.containers.0.readinessProbe');
});

test('addresses are chosen by family', () => {
  const ips = ['10.244.0.2', 'fd00::2'];
  expect([addressOf('a', ips), addressOf('a', ips, 'ipv6')]).toEqual(['10.244.0.2', 'fd00::2']);
  expect(() => addressOf('pod a', ['10.244.0.2'], 'ipv6')).toThrow('pod a has no ipv6 address: 10.244.0.2');
});

test('endpoints are written and read with brackets for IPv6', () => {
  const texts = [endpointText('10.0.0.1', 80), endpointText('fd00::1', 80)];
  expect(texts).toEqual(['10.0.0.1:80', '[fd00::1]:80']);
  expect(texts.map(endpointHost)).toEqual(['10.0.0.1', 'fd00::1']);
});

test('names of files and objects have letters, digits and single dashes', () => {
  expect(slug('ClusterIP service, by name & address: TCP')).toBe('clusterip-service-by-name-address-tcp');
});
