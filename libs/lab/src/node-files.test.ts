import { readFileSync } from 'node:fs';
import { parseConfList } from '@canal/cni-spec';
import { expect, test } from 'vitest';
import { labPaths, nodePaths } from './lab-paths.ts';
import { DEFAULT_SPEC, type LabSpec } from './lab-spec.ts';
import { renderConflist, renderKubeconfig, renderNetConf } from './node-files.ts';
import { planTopology } from './topology.ts';

const paths = nodePaths(labPaths('/run/canal-lab', 'lab'), 'node1');
const netConf = (tweak: Partial<LabSpec>): unknown => {
  const spec = { ...DEFAULT_SPEC, ...tweak };
  return JSON.parse(renderNetConf(spec, planTopology(spec)));
};

test('the conflist is the installed one with the directories of the node', () => {
  const installed: unknown = JSON.parse(
    readFileSync(new URL('../../../deploy/cni/10-canal.conflist', import.meta.url), 'utf8'),
  );
  const rendered: unknown = JSON.parse(renderConflist(DEFAULT_SPEC, paths));
  expect(rendered).toMatchObject(installed as object);
  expect(rendered).toMatchObject({
    plugins: [
      {
        subnetFile: '/run/canal-lab/lab/nodes/node1/run/flannel/subnet.env',
        dataDir: '/run/canal-lab/lab/nodes/node1/var/lib/cni/networks',
        stateDir: '/run/canal-lab/lab/nodes/node1/var/lib/canal',
      },
    ],
  });
});

test.each(['routed', 'bridge'] as const)('a runtime can read the conflist of %s mode', (podMode) => {
  const list = parseConfList(renderConflist({ ...DEFAULT_SPEC, podMode }, paths));
  expect(list).toMatchObject({ ok: true, value: { name: 'canal', cniVersion: '1.1.0' } });
  expect(list.ok && list.value.plugins[0]?.raw['mode']).toBe(podMode);
});

test('net-conf.json of each family and backend', () => {
  expect(netConf({})).toEqual({ Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } });
  expect(netConf({ ipFamily: 'dual', directRouting: true })).toEqual({
    Network: '10.244.0.0/16',
    EnableIPv6: true,
    IPv6Network: 'fd00:10:244::/56',
    Backend: { Type: 'vxlan', DirectRouting: true },
  });
  expect(netConf({ ipFamily: 'ipv6', backend: 'host-gw' })).toEqual({
    EnableIPv4: false,
    EnableIPv6: true,
    IPv6Network: 'fd00:10:244::/56',
    Backend: { Type: 'host-gw' },
  });
});

test('a token cannot break out of the kubeconfig', () => {
  const text = renderKubeconfig({ lab: 'lab', server: 'https://[fd00::1]:6443', ca: 'PEM', token: 'a"\nb: c' });
  expect(JSON.parse(text)).toMatchObject({ users: [{ user: { token: 'a"\nb: c' } }] });
});
