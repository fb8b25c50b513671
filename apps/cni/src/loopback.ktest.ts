/** The loopback plugin beside the one of containernetworking/plugins: same calls, same answers, same kernel state. */
import { existsSync, symlinkSync } from 'node:fs';
import { CniPluginError } from '@canal/node-state/runtime';
import { describe, expect, test } from 'vitest';
import { canalBinary, CniNode, ipJson, type Pod } from './testing/cni-node.ts';

/** CNI_LOOPBACK_PEER: a build of a newer release than the distribution's. */
const PEER = process.env['CNI_LOOPBACK_PEER'] ?? '/usr/lib/cni/loopback';

class LoopbackNode extends CniNode {
  readonly ours = `${this.folder}/bin/loopback`;
  readonly plugins = { ours: this.ours, peer: PEER };

  constructor() {
    super();
    if (!existsSync(PEER)) throw new Error(`${PEER} is missing: install containernetworking-plugins`);
    symlinkSync(canalBinary(), this.ours);
  }

  /** A sandbox whose lo is still down, named as runtimes name it. */
  downPod(id: string): Pod {
    const pod = this.pod(id);
    pod.run('ip', 'link', 'set', 'lo', 'down');
    return { ...pod, containerInterface: 'lo' as Pod['containerInterface'] };
  }
}

const config = (cniVersion: string, more: object = {}): object => ({
  cniVersion,
  name: 'cni-loopback',
  type: 'loopback',
  ...more,
});

function isUp(pod: Pod): boolean {
  return ipJson(pod.run('ip', '-j', 'link', 'show', 'lo'))[0]?.flags?.includes('UP') === true;
}

/**
 * With the namespace's path left out, in which two pods differ, and what the reference plugin leaves out or not from
 * release to release: an empty dns, and the `version` of addresses that the specification wants before 1.0.
 */
function comparable(text: string, pod?: Pod): unknown {
  const result = JSON.parse(pod === undefined ? text : text.replaceAll(pod.netns, 'NETNS')) as {
    dns?: object;
    ips: { version?: string }[];
  };
  const { dns, ips, ...rest } = result;
  expect(dns ?? {}).toEqual({});
  return { ...rest, ips: ips.map(({ version: _, ...ip }) => ip) };
}

describe.each(['0.3.1', '0.4.0', '1.0.0'])('version %s', (version) => {
  test('ADD brings lo up and tells its addresses; DEL takes it down; both as the reference plugin', async () => {
    using node = new LoopbackNode();
    const results: unknown[] = [];
    for (const path of [node.plugins.ours, node.plugins.peer]) {
      const pod = node.downPod(path === PEER ? 'peer' : 'ours');
      const printed = await node.callPlugin(path, 'ADD', config(version), pod);
      results.push(comparable(printed, pod));
      expect(isUp(pod)).toBe(true);
      expect(await node.callPlugin(path, 'DEL', config(version), pod)).toBe('');
      expect(isUp(pod)).toBe(false);
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toMatchObject({
      cniVersion: version,
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: 'NETNS' }],
      ips: [
        { interface: 0, address: '127.0.0.1/8' },
        { interface: 0, address: '::1/128' },
      ],
    });
  });
});

test('a result of plugins before it is passed on, as by the reference plugin', async () => {
  using node = new LoopbackNode();
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth7', mac: '02:00:00:00:00:01', sandbox: '/x' }],
    ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.1', interface: 0 }],
    dns: {},
  };
  const answers = await Promise.all(
    Object.values(node.plugins).map(async (path, at) => {
      const printed = await node.callPlugin(path, 'ADD', config('1.0.0', { prevResult }), node.downPod(`p${at}`));
      return comparable(printed);
    }),
  );
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]).toMatchObject({ interfaces: [{ name: 'eth7' }] });
});

test('CHECK finds an lo that is down', async () => {
  using node = new LoopbackNode();
  const pod = node.downPod('a');
  const prevResult = JSON.parse(await node.callPlugin(node.ours, 'ADD', config('1.1.0'), pod)) as object;
  const checked = config('1.1.0', { prevResult });
  expect(await node.callPlugin(node.ours, 'CHECK', checked, pod)).toBe('');
  pod.run('ip', 'link', 'set', 'lo', 'down');
  await expect(node.callPlugin(node.ours, 'CHECK', checked, pod)).rejects.toMatchObject({
    name: 'CniPluginError',
    pluginCode: 100,
  });
});

test.each(['STATUS', 'GC'])('%s of 1.1 succeeds', async (verb) => {
  using node = new LoopbackNode();
  expect(await node.callPlugin(node.ours, verb, config('1.1.0'))).toBe('');
});

test('VERSION', async () => {
  using node = new LoopbackNode();
  const { supportedVersions } = JSON.parse(await node.callPlugin(node.ours, 'VERSION', {})) as {
    supportedVersions: string[];
  };
  expect(supportedVersions).toContain('1.1.0');
});

test('DEL of a namespace that is gone succeeds, and again; ADD into it says which variable is wrong', async () => {
  using node = new LoopbackNode();
  const pod = node.downPod('a');
  pod.remove();
  expect(await node.callPlugin(node.ours, 'DEL', config('1.1.0'), pod)).toBe('');
  expect(await node.callPlugin(node.ours, 'DEL', config('1.1.0'), { ...pod, netns: '' })).toBe('');
  await expect(node.callPlugin(node.ours, 'ADD', config('1.1.0'), pod)).rejects.toThrow(CniPluginError);
});

test("the host's own lo is never touched", async () => {
  using node = new LoopbackNode();
  const host = { ...node.downPod('a'), netns: node.netns };
  await node.callPlugin(node.ours, 'DEL', config('1.1.0'), host);
  expect(node.ip('link', 'show', 'lo')[0]?.flags).toContain('UP');
  await expect(node.callPlugin(node.ours, 'ADD', config('1.1.0'), host)).rejects.toMatchObject({ pluginCode: 8 });
});
