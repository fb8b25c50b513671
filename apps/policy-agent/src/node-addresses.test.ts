import { annotationKeys, DEFAULT_ANNOTATION_PREFIX } from '@canal/api-schema';
import { formatIp, type Ip, parseIp, unwrap } from 'net-types';
import { beforeEach, expect, test } from 'vitest';
import { NodeAddresses } from './node-addresses.ts';

const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
const texts = (addresses: readonly Ip[]) => addresses.map(formatIp);

let nodes: NodeAddresses;
let told: { readonly own: string[]; readonly others: string[] } | undefined;
const engine = {
  setNodeAddresses(own: readonly Ip[], others: readonly Ip[]) {
    told = { own: texts(own), others: texts(others) };
  },
};

beforeEach(() => {
  told = undefined;
  nodes = new NodeAddresses({ nodeName: 'a', keys: KEYS, tunnelPorts: [8472], allowSample: 0 });
});

function put(
  name: string,
  internalIp: string,
  annotations: Readonly<Record<string, string>> = {},
  podCIDRs: readonly string[] = [],
): void {
  const object = {
    metadata: { name, annotations },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses: [{ type: 'InternalIP', address: internalIp }] },
  };
  const parsed = nodes.parse(object);
  if (!parsed.ok) throw new Error(parsed.error);
  nodes.put(parsed.value, name);
}

test('the guard knows what peers send from: addresses of the status and those that they announce', () => {
  put('a', '192.0.2.1');
  put('b', '192.0.2.2', { [KEYS.publicIp]: '198.51.100.2', [KEYS.publicIpv6]: '2001:db8::2' });
  expect(texts(nodes.guard().nodeAddresses)).toEqual(['192.0.2.1', '192.0.2.2', '198.51.100.2', '2001:db8::2']);
  put('c', 'not an address', { [KEYS.publicIp]: '' });
  expect(nodes.guard().nodeAddresses).toHaveLength(4);
  nodes.delete('b');
  expect(texts(nodes.guard().nodeAddresses)).toEqual(['192.0.2.1']);
});

test('this node’s own are those of its object and of its devices', () => {
  put('a', '192.0.2.1');
  put('b', '192.0.2.2');
  nodes.setLocalAddresses(['192.0.2.1', '10.244.1.1'].map((text) => unwrap(parseIp(text))));
  expect(nodes.settle(engine)).toBe(true);
  expect(told).toEqual({ own: ['192.0.2.1', '10.244.1.1'], others: ['192.0.2.2'] });
});

test('another node’s tunnel address is a node’s, and may not send to the tunnel’s port', () => {
  put('a', '192.0.2.1', {}, ['10.244.1.0/24']);
  put('b', '192.0.2.2', {}, ['10.244.2.0/24', 'fd00:0:0:2::/64']);
  expect(nodes.settle(engine)).toBe(true);
  expect(told).toEqual({ own: ['192.0.2.1'], others: ['192.0.2.2', '10.244.2.0', 'fd00:0:0:2::'] });
  expect(texts(nodes.guard().nodeAddresses)).toEqual(['192.0.2.1', '192.0.2.2']);
  put('b', '192.0.2.2', {}, ['10.244.3.0/24']);
  expect(nodes.settle(engine)).toBe(true);
  expect(told?.others).toEqual(['192.0.2.2', '10.244.3.0']);
});

test('a kubelet’s report that says nothing new changes nothing', () => {
  put('a', '192.0.2.1');
  expect(nodes.settle(engine)).toBe(true);
  put('a', '192.0.2.1');
  nodes.setLocalAddresses([]);
  expect(nodes.settle(engine)).toBe(false);
  put('a', '192.0.2.9');
  expect(nodes.settle(engine)).toBe(true);
});

test('the tunnel port of net-conf.json beside those of the flag; wrong content leaves the former', () => {
  expect(nodes.setNetConf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 4789}}')).toBeUndefined();
  expect(nodes.guard().tunnelPorts).toEqual([8472, 4789]);
  expect(nodes.setNetConf('{')).toContain('JSON');
  expect(nodes.guard().tunnelPorts).toEqual([8472, 4789]);
  expect(nodes.setNetConf(undefined)).toBeUndefined();
  expect(nodes.guard().tunnelPorts).toEqual([8472]);
});
