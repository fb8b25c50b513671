import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ConfList, type ConfListOptions, parseConfList, pluginConfig } from './conflist.ts';
import { type ContainerId } from './name.ts';

const LIST = {
  cniVersion: '1.0.0',
  cniVersions: ['0.4.0', '1.1.0', '9.0.0'],
  name: 'canal',
  plugins: [
    { type: 'canal', capabilities: { ips: true, mac: false }, mtu: 1400, extra: { kept: true } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

function parse(list: unknown, options?: ConfListOptions): ConfList {
  const result = parseConfList(JSON.stringify(list), options);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

test('the newest version that both sides know is taken, of cniVersion and cniVersions together', () => {
  expect(parse(LIST).cniVersion).toBe('1.1.0');
  expect(parse({ ...LIST, cniVersions: ['0.4.0'] }).cniVersion).toBe('1.0.0');
});

test('libcni of containerd 1.6 sees cniVersion alone', () => {
  expect(parse(LIST, { knowsCniVersions: false }).cniVersion).toBe('1.0.0');
});

test('a plugin gets its own keys, the list’s name and version, and of capabilities what it declares', () => {
  const list = parse(LIST);
  const [canal, portmap] = list.plugins;
  if (canal === undefined || portmap === undefined) throw new Error('two plugins');
  const capabilityArgs = { ips: ['10.0.0.5'], mac: 'x', portMappings: [{ hostPort: 80 }] };
  expect(pluginConfig(list, canal, { capabilityArgs })).toEqual({
    type: 'canal',
    mtu: 1400,
    extra: { kept: true },
    name: 'canal',
    cniVersion: '1.1.0',
    runtimeConfig: { ips: ['10.0.0.5'] },
  });
  expect(pluginConfig(list, portmap, { prevResult: { cniVersion: '1.1.0' } })).toEqual({
    type: 'portmap',
    name: 'canal',
    cniVersion: '1.1.0',
    prevResult: { cniVersion: '1.1.0' },
  });
});

test('GC tells the attachments in the words of the specification', () => {
  const list = parse(LIST);
  const validAttachments = [{ containerId: 'c1' as ContainerId, containerInterface: 'eth0' as never }];
  const plugin = list.plugins[0] ?? never();
  expect(pluginConfig(list, plugin, { validAttachments })['cni.dev/valid-attachments']).toEqual([
    { containerID: 'c1', ifname: 'eth0' },
  ]);
});

test('switches are read as booleans and as the strings of older lists', () => {
  expect(parse({ ...LIST, disableCheck: true, disableGC: 'true' })).toMatchObject({
    disableCheck: true,
    disableGC: true,
  });
  expect(parse({ ...LIST, disableCheck: 'false' })).toMatchObject({ disableCheck: false, disableGC: false });
});

test.each([
  [{ ...LIST, name: '../x' }, 'name: "../x"'],
  [{ ...LIST, plugins: [] }, 'plugins'],
  [{ ...LIST, plugins: [{ type: '../../bin/sh' }] }, 'plugins[0].type: "../../bin/sh"'],
  [{ ...LIST, plugins: ['x'] }, 'plugins[0]: expected a JSON object'],
  [{ ...LIST, cniVersion: '0.2.0', cniVersions: [] }, 'cniVersion: "0.2.0"'],
  [{ ...LIST, disableCheck: 'yes' }, 'disableCheck: "yes"'],
])('refuses %j', (list, expected) => {
  const result = parseConfList(JSON.stringify(list));
  expect(result.ok ? 'accepted' : result.error.message).toContain(expected);
});

test('the list that canal installs is read, and gets 1.1.0 from a runtime that knows it, 1.0.0 from one that does not', () => {
  const text = readFileSync(new URL('../../../deploy/cni/10-canal.conflist', import.meta.url), 'utf8');
  const json: unknown = JSON.parse(text);
  expect(parse(json).cniVersion).toBe('1.1.0');
  expect(parse(json, { knowsCniVersions: false }).cniVersion).toBe('1.0.0');
  expect(parse(json).plugins.map((plugin) => plugin.type)).toEqual(['canal']);
});

function never(): never {
  throw new Error('absent');
}
