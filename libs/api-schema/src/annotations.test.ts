import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { formatIp, macFromBytes, parseCidr, parseIp, parseMac, parseVni, unwrap } from 'net-types';
import type { Peer } from '@canal/model';
import {
  type AnnotationKeys,
  annotationKeys,
  CANALS_ANNOTATIONS,
  changedAnnotations,
  DEFAULT_ANNOTATION_PREFIX,
  formatVtep,
  parseNode,
  parsePeer,
  parseVtep,
  renderOwnAnnotations,
  renderWithdrawnAnnotations,
} from './index.ts';

const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));

function node(annotations: Record<string, unknown>, podCIDRs: unknown = ['10.244.1.0/24', 'fd00:1::/64']) {
  return { metadata: { name: 'a', uid: 'u', annotations }, spec: { podCIDRs } };
}

function peerOf(object: unknown, keys: AnnotationKeys = KEYS) {
  const record = parseNode(object, new Set(Object.values(keys)));
  if (!record.ok) throw new Error(record.error);
  return parsePeer(record.value, keys);
}

/** As a real flannel v0.28 node in a kind cluster. */
const FLANNEL = {
  'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"3a:fd:04:5e:b2:1c"}',
  'flannel.alpha.coreos.com/backend-type': 'vxlan',
  'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
  'flannel.alpha.coreos.com/public-ip': '172.18.0.3',
};

describe('prefix', () => {
  test.each([
    ['flannel.alpha.coreos.com', 'flannel.alpha.coreos.com/public-ip'],
    ['flannel.alpha.coreos.com/', 'flannel.alpha.coreos.com/public-ip'],
    ['example.com/net', 'example.com/net-public-ip'],
    ['example.com/net-', 'example.com/net-public-ip'],
    ['single', 'single/public-ip'],
  ])('%s gives %s', (prefix, key) => {
    expect(unwrap(annotationKeys(prefix)).publicIp).toBe(key);
  });

  test.each(['', '/', 'a/b/c', 'UPPER.com', 'a b', 'example.com/' + 'x'.repeat(60), '-a.com'])(
    '%j is refused',
    (prefix) => {
      expect(annotationKeys(prefix).ok).toBe(false);
    },
  );
});

describe('peers', () => {
  test("a flannel node's annotations", () => {
    const { peer, problems } = peerOf(node(FLANNEL));
    expect(problems).toEqual([]);
    expect(peer?.backendType).toBe('vxlan');
    expect(peer?.endpoints).toEqual([
      {
        family: 4,
        publicIp: unwrap(parseIp('172.18.0.3')),
        subnet: unwrap(parseCidr('10.244.1.0/24')),
        vtep: { vni: 1, mac: '3a:fd:04:5e:b2:1c' },
      },
    ]);
  });

  test('a node that does not run flannel is no peer and no problem', () => {
    expect(peerOf(node({ ...FLANNEL, [KEYS.subnetManager]: 'false' }))).toEqual({ problems: [] });
  });

  test('the age of a node goes with it, and one that does not parse is unknown', () => {
    const aged = (creationTimestamp: unknown) => ({
      ...node(FLANNEL),
      metadata: { name: 'a', annotations: FLANNEL, creationTimestamp },
    });
    expect(peerOf(aged('2026-01-01T00:00:00Z')).peer?.createdMs).toBe(Date.UTC(2026, 0, 1));
    expect(peerOf(aged('yesterday')).peer).not.toHaveProperty('createdMs');
    expect(peerOf(aged(null)).peer).not.toHaveProperty('createdMs');
  });

  test('host-gw needs no data', () => {
    const { peer } = peerOf(node({ ...FLANNEL, [KEYS.backendType]: 'Host-GW', [KEYS.backendData]: 'null' }));
    expect(peer).toMatchObject({ backendType: 'host-gw', endpoints: [{ family: 4 }] });
  });

  test.each([
    { name: 'data that is no JSON', key: KEYS.backendData, value: '{"VNI":' },
    { name: 'data of another shape', key: KEYS.backendData, value: '[]' },
    { name: 'a VTEP address of five bytes', key: KEYS.backendData, value: '{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee"}' },
    { name: 'a multicast VTEP address', key: KEYS.backendData, value: '{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}' },
    { name: 'a broadcast VTEP address', key: KEYS.backendData, value: '{"VNI":1,"VtepMAC":"ff:ff:ff:ff:ff:ff"}' },
    { name: 'a VNI of 25 bits', key: KEYS.backendData, value: '{"VNI":16777216,"VtepMAC":"3a:fd:04:5e:b2:1c"}' },
    { name: 'data of megabytes', key: KEYS.backendData, value: `{"VNI":1,"VtepMAC":"${'a'.repeat(1 << 20)}"}` },
    { name: 'shell in the data', key: KEYS.backendData, value: '$(reboot)' },
    { name: 'a public address that is none', key: KEYS.publicIp, value: '10.0.0.1; rm -rf /' },
    { name: 'an IPv6 public-ip', key: KEYS.publicIp, value: 'fd00::1' },
  ])('$name: IPv4 is dropped and named, IPv6 stays', ({ key, value }) => {
    const good = { [KEYS.publicIpv6]: 'fd00::3', [KEYS.backendV6Data]: '{"VNI":1,"VtepMAC":"3a:fd:04:5e:b2:1d"}' };
    const { peer, problems } = peerOf(node({ ...FLANNEL, ...good, [key]: value }));
    expect(peer?.endpoints.map(({ family }) => family)).toEqual([6]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(key);
    expect(problems[0]?.length).toBeLessThan(400);
  });

  test('no text that a node can announce throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.json(), (type, ip, data) => {
        peerOf(
          node({
            [KEYS.subnetManager]: 'true',
            [KEYS.backendType]: type,
            [KEYS.publicIp]: ip,
            [KEYS.backendData]: data,
          }),
        );
      }),
    );
  });
});

describe('nodes', () => {
  test('old objects have podCIDR alone; host bits are cleared', () => {
    const record = parseNode({ metadata: { name: 'a' }, spec: { podCIDR: '10.244.1.7/24' } }, new Set());
    expect(record).toMatchObject({ ok: true, value: { podCidrs: [unwrap(parseCidr('10.244.1.0/24'))] } });
  });

  test('what is absent or null is empty', () => {
    const empty = { ok: true, value: { name: 'a', uid: '', annotations: {}, podCidrs: [], internalIps: [] } };
    expect(parseNode({ metadata: { name: 'a' } }, new Set())).toEqual(empty);
    expect(
      parseNode({ metadata: { name: 'a', annotations: null }, spec: null, status: { conditions: null } }, new Set()),
    ).toEqual(empty);
  });

  test('foreign annotations are dropped, the condition and internal addresses kept', () => {
    const object = {
      ...node({ ...FLANNEL, 'other/thing': 'x' }),
      status: {
        addresses: [
          { type: 'Hostname', address: 'a' },
          { type: 'InternalIP', address: '172.18.0.3' },
        ],
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp' },
        ],
      },
    };
    const record = parseNode(object, new Set(Object.values(KEYS)));
    expect(record).toMatchObject({
      ok: true,
      value: {
        annotations: FLANNEL,
        internalIps: ['172.18.0.3'],
        networkUnavailable: { status: 'False', reason: 'FlannelIsUp' },
      },
    });
  });

  test.each([
    { name: 'a pod subnet that is none', object: node({}, ['10.244.1/24']), says: 'spec.podCIDRs.0 is "10.244.1/24"' },
    { name: 'annotations that are no texts', object: node({ a: 1 }), says: 'metadata.annotations.a is 1' },
    { name: 'no metadata', object: {}, says: 'metadata missing' },
    { name: 'no object', object: 'x', says: 'the input is "x"' },
  ])('$name is named', ({ object, says }) => {
    const record = parseNode(object, new Set());
    expect(record.ok ? '' : record.error).toContain(says);
  });
});

describe('what this node announces', () => {
  const own: Peer = {
    name: 'a',
    backendType: 'vxlan',
    endpoints: [
      {
        family: 4,
        publicIp: unwrap(parseIp('172.18.0.3')),
        subnet: unwrap(parseCidr('10.244.1.0/24')),
        vtep: { vni: unwrap(parseVni('1')), mac: unwrap(parseMac('3A:FD:04:5E:B2:1C')) },
      },
    ],
  };

  test('is the text of flannel, byte for byte; what IPv6 announced before is withdrawn', () => {
    expect(renderOwnAnnotations(own, KEYS)).toEqual({
      ...FLANNEL,
      [KEYS.publicIpv6]: null,
      [KEYS.backendV6Data]: null,
    });
  });

  test('a backend without data says null, as flannel does', () => {
    const endpoints = own.endpoints.map(({ family, publicIp, subnet }) => ({ family, publicIp, subnet }));
    const hostGw: Peer = { ...own, backendType: 'host-gw', endpoints };
    expect(renderOwnAnnotations(hostGw, KEYS)[KEYS.backendData]).toBe('null');
  });

  test('only what differs is written', () => {
    const patch = renderOwnAnnotations(own, KEYS);
    expect(changedAnnotations(patch, FLANNEL)).toEqual({});
    expect(changedAnnotations(patch, { ...FLANNEL, [KEYS.publicIp]: '1.2.3.4', [KEYS.publicIpv6]: 'fd00::1' })).toEqual(
      {
        [KEYS.publicIp]: '172.18.0.3',
        [KEYS.publicIpv6]: null,
      },
    );
  });

  test('withdrawing removes all that is written and nothing that people set', () => {
    const withdrawn = Object.keys(renderWithdrawnAnnotations(KEYS));
    const written = [...Object.keys(renderOwnAnnotations(own, KEYS)), ...CANALS_ANNOTATIONS];
    expect(withdrawn.sort()).toEqual(written.sort());
    expect(withdrawn).not.toContain(KEYS.publicIpOverwrite);
  });

  test.each(['flannel.alpha.coreos.com', 'example.com/net', 'example.com/net-', 'x'])(
    'under the prefix %s it is read back as it was written',
    (prefix) => {
      const keys = unwrap(annotationKeys(prefix));
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 0xdfffffff }),
          fc.uint8Array({ minLength: 6, maxLength: 6 }),
          fc.nat(0xffffff),
          (bits, bytes, vni) => {
            const ip = unwrap(parseIp([bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join('.')));
            fc.pre(bits >>> 24 !== 127 && bits >>> 24 !== 0);
            bytes[0] = (bytes[0] ?? 0) & 0xfe;
            const mac = macFromBytes(bytes);
            fc.pre(mac !== undefined && mac !== '00:00:00:00:00:00');
            const [first] = own.endpoints;
            if (first === undefined) return;
            const written: Peer = {
              ...own,
              endpoints: [{ ...first, publicIp: ip, vtep: { vni: unwrap(parseVni(String(vni))), mac } }],
            };
            const annotations = changedAnnotations(renderOwnAnnotations(written, keys), {});
            expect(annotations[keys.publicIp]).toBe(formatIp(ip));
            expect(peerOf(node(annotations), keys)).toEqual({ peer: written, problems: [] });
          },
        ),
      );
    },
  );

  test('backend data survives key case and order, and VNI absent is 0 as in Go', () => {
    expect(parseVtep('{"vtepmac":"3A:FD:04:5E:B2:1C","vni":5,"more":1}')).toEqual({
      ok: true,
      value: { vni: 5, mac: '3a:fd:04:5e:b2:1c' },
    });
    expect(unwrap(parseVtep('{"VtepMAC":"3a:fd:04:5e:b2:1c"}')).vni).toBe(0);
    expect(formatVtep(unwrap(parseVtep(FLANNEL[KEYS.backendData as keyof typeof FLANNEL])))).toBe(
      FLANNEL[KEYS.backendData as keyof typeof FLANNEL],
    );
  });
});
