/**
 * ADD with each of its steps failing in turn, in this process: afterwards the kernel and the disk are as before. DEL and
 * GC with a kernel that refuses: the address stays held as long as its link may be there.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type CniEnvironment } from '@canal/cni-spec';
import { encodeAnswer } from '@canal/agent-protocol';
import { type UnixStream, withNetns } from '@canal/linux-ffi';
import type { NetlinkConnection, NetlinkRequest } from 'netlink-ts';
import { describe, expect, test } from 'vitest';
import { type Kernel, LINUX_KERNEL } from './kernel.ts';
import { runPlugin } from './plugin.ts';
import { CniNode, globalAddresses, IPV4, IPV6, type Pod } from './testing/cni-node.ts';
import { POLICED } from './testing/fake-policy-agent.ts';

class Injected extends Error {}

/** Counts calls into the kernel; the chosen one fails, before or after the kernel has done it. */
interface Fault {
  readonly at: number;
  readonly when: 'before' | 'after';
}

function faultyKernel(fault: Fault): { kernel: Kernel; calls: () => number } {
  let calls = 0;
  const step = <T>(action: () => T): T => {
    const isChosen = calls++ === fault.at;
    if (isChosen && fault.when === 'before') throw new Injected('before');
    const result = action();
    if (isChosen) throw new Injected('after');
    return result;
  };
  const wrap = (netlink: NetlinkConnection): NetlinkConnection => ({
    execute: (request) => step(() => netlink.execute(request)),
    batch: (requests) => step(() => netlink.batch(requests)),
    get: (query) => step(() => netlink.get(query)),
    dump: (query) => step(() => netlink.dump(query)),
    exchange: (...args) => step(() => netlink.exchange(...args)),
    limits: netlink.limits,
    [Symbol.dispose]: () => netlink[Symbol.dispose](),
  });
  const kernel: Kernel = {
    ...LINUX_KERNEL,
    openNetlink: () => wrap(step(() => LINUX_KERNEL.openNetlink())),
    writeIpv6Sysctl: (...args) => step(() => LINUX_KERNEL.writeIpv6Sysctl(...args)),
    connectUnixStream: () => step(() => willing(step)),
  };
  return { kernel, calls: () => calls };
}

/** A connection to an agent that has the rules made at once. */
function willing(step: <T>(action: () => T) => T): UnixStream {
  const answer = new TextEncoder().encode(encodeAnswer(POLICED));
  return {
    send: () => step(() => undefined),
    receive: (into) =>
      step(() => {
        into.set(answer);
        return answer.length;
      }),
    [Symbol.dispose]: () => undefined,
  };
}

const AGREEABLE: Kernel = { ...LINUX_KERNEL, connectUnixStream: () => willing((action) => action()) };

/** A verb in this process, in the node's namespace. */
function call(node: CniNode, command: CniEnvironment['command'], pod: Pod, kernel: Kernel, keys: object = {}) {
  const variables = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_IFNAME: pod.containerInterface,
    CNI_NETNS: pod.netns,
    CNI_PATH: '/opt/cni/bin',
  };
  const config = JSON.stringify({ ...node.plugin(), cniVersion: '1.1.0', name: 'canal', ...keys });
  return withNetns(node.netns, () => runPlugin({ variables, readStdin: () => config, kernel }));
}

describe.each(['routed', 'bridge'] as const)('ADD in %s mode', (mode) => {
  test.each(['before', 'after'] as const)('each step failing %s it was done: nothing is left', (when) => {
    using node = new CniNode({ mode, subnet: [...IPV4, ...IPV6], config: { policy: 'required' } });
    // The bridge is there from the first ADD on, as in all of a node's life but one moment.
    expect(call(node, 'ADD', node.pod('first'), AGREEABLE).exitCode).toBe(0);
    const before = node.traces();
    let steps = 0;
    for (let at = 0; ; at++) {
      const pod = node.pod(`pod${at}`);
      const { kernel, calls } = faultyKernel({ at, when });
      const answer = call(node, 'ADD', pod, kernel);
      if (calls() <= at) {
        // The fault was never reached: all steps were gone through, and this ADD is whole.
        expect(answer.exitCode).toBe(0);
        steps = at;
        break;
      }
      expect(answer, `step ${at}`).toMatchObject({ exitCode: 1 });
      expect(node.traces(), `step ${at}`).toEqual(before);
      expect(pod.run('ip', '-o', 'link').trim().split('\n'), `step ${at}`).toHaveLength(1);
      pod.remove();
    }
    expect(steps).toBeGreaterThan(8);
  });
});

test.each(['off', 'required'])(
  'policy %s: an ADD killed at any step and tried again, or deleted, leaves one pod or none',
  (policy) => {
    for (const retry of ['ADD', 'DEL'] as const) {
      using node = new CniNode({ subnet: [...IPV4, ...IPV6], config: { policy } });
      let steps = 0;
      for (let at = 0; at < 40; at++) {
        const pod = node.pod(`pod${at}`);
        // A fault in the clean-up as well: as much is left as after SIGKILL.
        const { kernel, calls } = deadKernel(at);
        call(node, 'ADD', pod, kernel);
        if (calls() <= at) {
          steps = at;
          break;
        }
        if (retry === 'ADD') {
          const answer = call(node, 'ADD', pod, AGREEABLE);
          // Once the pod's end was born, the specification wants an error, and the runtime to call DEL first.
          if (answer.exitCode !== 0) expect(answer.stdout).toContain('exists already');
        }
        expect(call(node, 'DEL', pod, AGREEABLE).exitCode).toBe(0);
        expect(node.traces(), `step ${at}`).toEqual([]);
        pod.remove();
      }
      // All of them were gone through.
      expect(steps).toBeGreaterThan(policy === 'off' ? 5 : 8);
    }
  },
);

/** Does nothing any more from one call on, like a process that was killed. */
function deadKernel(from: number): { kernel: Kernel; calls: () => number } {
  let calls = 0;
  const step = <T>(action: () => T): T => {
    if (calls++ >= from) throw new Injected('dead');
    return action();
  };
  const wrap = (netlink: NetlinkConnection): NetlinkConnection => ({
    ...netlink,
    limits: netlink.limits,
    execute: (request: NetlinkRequest) => step(() => netlink.execute(request)),
    batch: (requests) => step(() => netlink.batch(requests)),
    get: (query) => step(() => netlink.get(query)),
    dump: (query) => step(() => netlink.dump(query)),
    exchange: (...args) => step(() => netlink.exchange(...args)),
    [Symbol.dispose]: () => netlink[Symbol.dispose](),
  });
  const kernel: Kernel = {
    ...LINUX_KERNEL,
    openNetlink: () => step(() => wrap(LINUX_KERNEL.openNetlink())),
    writeIpv6Sysctl: (...args) => step(() => LINUX_KERNEL.writeIpv6Sysctl(...args)),
    connectUnixStream: () => step(() => willing(step)),
  };
  return { kernel, calls: () => calls };
}

/** A kernel that refuses to delete links. */
const STUBBORN: Kernel = {
  ...LINUX_KERNEL,
  openNetlink: () => {
    const netlink = LINUX_KERNEL.openNetlink();
    const refuse = new Injected('the link stays');
    return {
      execute: (request) => netlink.execute(request),
      batch: (requests) => {
        if (requests.some(({ operation }) => operation === 'delete link')) throw refuse;
        return netlink.batch(requests);
      },
      get: (query) => netlink.get(query),
      dump: (query) => netlink.dump(query),
      exchange: (...args) => netlink.exchange(...args),
      limits: netlink.limits,
      [Symbol.dispose]: () => netlink[Symbol.dispose](),
    };
  },
};

test('a link that cannot be deleted keeps its address: DEL fails, and succeeds later', () => {
  using node = new CniNode();
  const pod = node.pod('a');
  call(node, 'ADD', pod, LINUX_KERNEL);
  const before = node.traces();
  expect(call(node, 'DEL', pod, STUBBORN).exitCode).toBe(1);
  expect(node.traces()).toEqual(before);
  expect(call(node, 'GC', pod, STUBBORN, { 'cni.dev/valid-attachments': [] }).exitCode).toBe(1);
  expect(node.traces()).toEqual(before);
  expect(call(node, 'DEL', pod, LINUX_KERNEL).exitCode).toBe(0);
  expect(node.traces()).toEqual([]);
});

test('an ADD whose clean-up fails keeps the address reserved until DEL', () => {
  using node = new CniNode();
  const pod = node.pod('a');
  // The pod's end cannot be configured, and the link cannot be taken back.
  const kernel: Kernel = {
    ...STUBBORN,
    withNetns: () => {
      throw new Injected('no way in');
    },
  };
  expect(call(node, 'ADD', pod, kernel).exitCode).toBe(1);
  expect(node.traces().filter((trace) => !trace.startsWith('route'))).toEqual([
    'address 10.244.1.2',
    expect.stringMatching(/^link cnl/),
    'record a:eth0.json',
  ]);
  expect(call(node, 'DEL', pod, LINUX_KERNEL).exitCode).toBe(0);
  expect(node.traces()).toEqual([]);
});

test('after a node joined anew, a bridge without pods gets its new address; one with pods is a person’s to judge', () => {
  using node = new CniNode({ mode: 'bridge' });
  const [old, next] = [node.pod('old'), node.pod('next')];
  call(node, 'ADD', old, LINUX_KERNEL);
  node.writeSubnet(['FLANNEL_NETWORK=10.244.0.0/16', 'FLANNEL_SUBNET=10.244.9.1/24']);
  const refused = call(node, 'ADD', next, LINUX_KERNEL);
  expect(refused.stdout).toContain("bridge cni0 has 10.244.1.1/24, this node's is 10.244.9.1/24");
  expect(refused.stdout).toContain('drain the node');
  call(node, 'DEL', old, LINUX_KERNEL);
  expect(node.files()).toEqual([]);
  expect(call(node, 'ADD', next, LINUX_KERNEL).exitCode).toBe(0);
  expect(globalAddresses(next)).toEqual([expect.stringMatching(/^10\.244\.9\.\d+\/24$/)]);
  const [cni0] = node.ip('address', 'show', 'dev', 'cni0');
  const global = cni0?.addr_info?.filter(({ scope }) => scope === 'global') ?? [];
  expect(global.map(({ local }) => local)).toEqual(['10.244.9.1']);
});

test('a device that is no bridge is not taken for one', () => {
  using node = new CniNode({ mode: 'bridge', config: { bridge: 'veth9' } });
  node.run('ip', 'link', 'add', 'veth9', 'type', 'veth', 'peer', 'name', 'veth8');
  const answer = call(node, 'ADD', node.pod('a'), LINUX_KERNEL);
  expect(JSON.parse(answer.stdout)).toMatchObject({
    code: 7,
    msg: expect.stringContaining('as a veth device') as string,
  });
  expect(node.traces()).toEqual([]);
});

test('hostile records change nothing outside: the name of a link to delete is never read from them', () => {
  using node = new CniNode();
  const pod = node.pod('a');
  call(node, 'ADD', pod, LINUX_KERNEL);
  const path = `${node.folder}/state/attachments/canal/a:eth0.json`;
  writeFileSync(path, JSON.stringify({ containerId: 'a', hostInterface: 'uplink' }));
  expect(call(node, 'GC', pod, LINUX_KERNEL, { 'cni.dev/valid-attachments': [] }).exitCode).toBe(0);
  expect(call(node, 'DEL', pod, LINUX_KERNEL).exitCode).toBe(0);
  expect(node.ip('link', 'show', 'dev', 'uplink')).toHaveLength(1);
  expect(node.traces()).toEqual([]);
});

test('GC deletes the links of records that are torn or gone, and none that a record names', () => {
  using node = new CniNode();
  const pod = node.pod('a');
  call(node, 'ADD', pod, LINUX_KERNEL);
  const path = `${node.folder}/state/attachments/canal/a:eth0.json`;
  const record = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, 'torn');
  expect(call(node, 'GC', pod, LINUX_KERNEL, { 'cni.dev/valid-attachments': [] }).exitCode).toBe(0);
  expect(node.traces()).toEqual([]);
  call(node, 'ADD', node.pod('b'), LINUX_KERNEL);
  rmSync(`${node.folder}/state/attachments/canal/b:eth0.json`);
  expect(call(node, 'GC', pod, LINUX_KERNEL, { 'cni.dev/valid-attachments': [] }).exitCode).toBe(0);
  expect(node.traces()).toEqual([]);
  writeFileSync(path, JSON.stringify({ ...record, hostInterface: 'uplink' }));
  expect(call(node, 'GC', pod, LINUX_KERNEL, { 'cni.dev/valid-attachments': [] }).exitCode).toBe(0);
  expect(node.ip('link', 'show', 'dev', 'uplink')).toHaveLength(1);
  expect(node.traces()).toEqual([]);
});

test('DEL of another container leaves the interface of a live pod, though it comes with that pod’s namespace', () => {
  using node = new CniNode();
  const pod = node.pod('a');
  call(node, 'ADD', pod, LINUX_KERNEL);
  const before = node.traces();
  // Paths like /proc/<pid>/ns/net come back; and a runtime DELs after an ADD that another network kept out.
  const stranger = { ...pod, containerId: node.pod('b').containerId };
  expect(call(node, 'DEL', stranger, LINUX_KERNEL).exitCode).toBe(0);
  expect(call(node, 'DEL', pod, LINUX_KERNEL, { name: 'second' }).exitCode).toBe(0);
  expect(node.traces()).toEqual(before);
  expect(globalAddresses(pod)).toEqual(['10.244.1.2/32']);
});

test.each(['routed', 'bridge'] as const)('%s: a namespace in which IPv6 is off gets its IPv6 address', (mode) => {
  using node = new CniNode({ mode, subnet: [...IPV4, ...IPV6] });
  const pod = node.pod('a');
  pod.run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
  node.run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
  expect(call(node, 'ADD', pod, LINUX_KERNEL)).toMatchObject({ exitCode: 0 });
  expect(globalAddresses(pod)).toHaveLength(2);
  pod.run('ping', '-6', '-c1', '-W2', 'fd00:77::1');
});

test.each(['DEL', 'GC'] as const)('%s is not kept from its work by keys that only ADD acts on', (command) => {
  using node = new CniNode();
  const pod = node.pod('a');
  call(node, 'ADD', pod, LINUX_KERNEL);
  const keys = { mode: 'vlan', mtu: 7, bridge: 'a/b', ipMasq: true, dns: { search: 3 } };
  const list = command === 'GC' ? { 'cni.dev/valid-attachments': [] } : {};
  expect(call(node, command, pod, LINUX_KERNEL, { ...keys, ...list })).toEqual({ exitCode: 0, stdout: '' });
  expect(node.traces()).toEqual([]);
});
