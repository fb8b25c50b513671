/**
 * Pods that send from their first moment on, made by the real plugin with `policy: required`: what their policies deny
 * does not arrive, not one packet. CANAL_NEW_PODS says how many pods.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { type ConfList, parseConfList, parseContainerId } from '@canal/cni-spec';
import { createCniCache } from '@canal/node-state';
import { type CniRuntime, createCniRuntime, createPluginExec } from '@canal/node-state/runtime';
import { NETWORK_POLICIES, PODS } from '@canal/store-port';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseInterfaceName, unwrap } from 'net-types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentNode, createAgentNode, NODE_NAME } from './testing/agent-node.ts';
import { type EagerClients, startEagerClients } from './testing/eager-clients.ts';

const COUNT = Number(process.env['CANAL_NEW_PODS'] ?? 500);
/** As many as a kubelet starts at a time on two processors. */
const AT_A_TIME = 4;
const PORT = 9_999;
/** How long a client goes on after ADD at least. */
const AFTER_MS = 20;
/** With these labels a pod may not send at all; others may. */
const MUTE = { app: 'mute' };

const CANAL = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../dist/canal');

let node: AgentNode;
let clients: EagerClients;
let directory: string;
let runtime: CniRuntime;

beforeAll(async () => {
  if (!existsSync(CANAL)) throw new Error(`${CANAL} is not there: build it by "npm run build"`);
  node = await createAgentNode();
  clients = startEagerClients({ address: node.web.address, port: PORT });
  directory = mkdtempSync(`${tmpdir()}/canal-new-pods-`);
  mkdirSync(`${directory}/bin`);
  symlinkSync(CANAL, `${directory}/bin/canal`);
  const subnet = ['NETWORK=10.244.0.0/16', 'SUBNET=10.244.8.1/21', 'MTU=1450', 'IPMASQ=false'];
  writeFileSync(`${directory}/subnet.env`, subnet.map((line) => `FLANNEL_${line}\n`).join(''));
  runtime = createCniRuntime({
    binDirs: [`${directory}/bin`],
    cache: createCniCache(`${directory}/cni`),
    exec: createPluginExec({ netns: node.netns.path }),
  });
  // Whom the server got something from, each by its own address: addresses are not given twice here.
  node.web.netns.run(['nft', '-f', '-'], {
    stdin: `table ip received {
      set sources { type ipv4_addr; flags dynamic; size 65535;
      }
      chain input { type filter hook input priority 0; udp dport ${PORT} add @sources { ip saddr }
      }
    }
    `,
  });
  await node.store.create(NETWORK_POLICIES, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'mute', namespace: 'default' },
    spec: { podSelector: { matchLabels: MUTE }, policyTypes: ['Egress'] },
  });
  await node.start();
  expect(await node.add(node.web)).toEqual({ ok: true, value: { state: 'policed' } });
}, 120_000);

afterAll(async () => {
  await clients[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function heardFrom(): ReadonlySet<string> {
  const { nftables } = node.web.netns.json(['nft', '-j', 'list', 'set', 'ip', 'received', 'sources']) as {
    nftables: { set?: { elem?: string[] } }[];
  };
  return new Set(nftables.flatMap(({ set }) => set?.elem ?? []));
}

function listOf(policy: 'required' | 'off'): ConfList {
  const plugin = {
    type: 'canal',
    mode: 'routed',
    subnetFile: `${directory}/subnet.env`,
    dataDir: `${directory}/networks`,
    stateDir: node.stateDir,
    policy,
    policySocket: node.socket,
  };
  const list = parseConfList(JSON.stringify({ cniVersion: '1.1.0', name: 'canal', plugins: [plugin] }));
  if (!list.ok) throw new Error(list.error.message);
  return list.value;
}

interface MadePod {
  readonly address: string;
  readonly addMs: number;
}

interface PodToMake {
  readonly labels: Readonly<Record<string, string>>;
  readonly list: ConfList;
  /** The client goes on until it is heard. */
  readonly awaited: boolean;
}

/** From the sandbox to its end, with a client that sends as long as it lives. */
async function makePod(name: string, { labels, list, awaited }: PodToMake): Promise<MadePod> {
  const { metadata } = await node.store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { nodeName: NODE_NAME, containers: [{ name: 'c', image: 'i' }] },
  });
  using netns: TestNetns = createTestNetns(name);
  const call = {
    containerId: unwrap(parseContainerId(name)),
    containerInterface: unwrap(parseInterfaceName('eth0')),
    netns: netns.path,
    args: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAMESPACE', 'default'],
      ['K8S_POD_NAME', name],
      ['K8S_POD_UID', metadata.uid ?? ''],
    ] as const,
  };
  await clients.add(netns);
  const startedMs = performance.now();
  const result = await runtime.add(list, call);
  const addMs = performance.now() - startedMs;
  const [ip] = result['ips'] as { address: string }[];
  const address = ip?.address.replace(/\/.*/, '') ?? '';
  await Bun.sleep(AFTER_MS);
  if (awaited) await waitFor(`a word of ${name}`, () => heardFrom().has(address));
  await clients.drop(netns);
  await runtime.del(list, call);
  await node.store.delete(PODS, name, 'default');
  return { address, addMs };
}

/** Some at a time; every fifth may send. */
async function makePods(prefix: string, count: number, policy: 'required' | 'off') {
  const list = listOf(policy);
  const made: (MadePod & { readonly isMute: boolean })[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const isMute = index % 5 !== 4;
      made.push({
        isMute,
        ...(await makePod(`${prefix}-${index}`, {
          labels: isMute ? MUTE : {},
          list,
          awaited: !isMute && policy === 'required',
        })),
      });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  const heard = heardFrom();
  const counts = { mute: 0, muteHeard: 0, free: 0, freeHeard: 0 };
  for (const { isMute, address } of made) {
    counts[isMute ? 'mute' : 'free']++;
    if (heard.has(address)) counts[isMute ? 'muteHeard' : 'freeHeard']++;
  }
  expect(new Set(made.map(({ address }) => address)).size).toBe(count);
  return { ...counts, addMs: made.map(({ addMs }) => addMs).sort((a, b) => a - b) };
}

test(
  `${COUNT} pods: nothing that a pod sends before its rules are there is accepted`,
  { timeout: 900_000 },
  async () => {
    const started = performance.now();
    const { mute, muteHeard, free, freeHeard, addMs } = await makePods('new', COUNT, 'required');
    const at = (share: number): string => (addMs[Math.floor(share * (addMs.length - 1))] ?? 0).toFixed(0);
    process.stderr.write(
      `${COUNT} new pods in ${((performance.now() - started) / 1000).toFixed(1)} s: ${muteHeard} of ${mute} that may not send were heard, ` +
        `${freeHeard} of ${free} that may; ADD median ${at(0.5)} ms, p99 ${at(0.99)} ms\n`,
    );
    expect(muteHeard).toBe(0);
    // The clients do send in time, and the server does count them.
    expect(freeHeard).toBe(free);
  },
);

test(
  'the counter-proof: with the agent gone pods are closed by what stays, and heard without it',
  { timeout: 120_000 },
  async () => {
    await node.kill();
    expect(await makePods('closed', 10, 'off')).toMatchObject({ mute: 8, muteHeard: 0, free: 2, freeHeard: 0 });
    node.netns.run(['nft', 'flush', 'chain', 'inet', 'canal-policy', 'guard']);
    expect(await makePods('open', 10, 'off')).toMatchObject({ mute: 8, muteHeard: 8, free: 2, freeHeard: 2 });
  },
);
