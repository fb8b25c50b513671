/** The real libcni against our plugin, and containerd asking it for its STATUS. */
import { expect } from 'vitest';
import { agentContainer, readyByNode } from '../agents.ts';
import { eventually } from '../eventually.ts';
import { compareListings, describeResidue, listNode } from '../residue.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';
import type { CommandResult } from '../world.ts';

const NEEDS = ['node-control'] as const;
const CONF_DIR = '/etc/cni/net.d';
const CONFLIST = `${CONF_DIR}/10-canal.conflist`;
const NETNS = 'canal-e2e-libcni';
/** cnitool's gc names no valid attachment: under canal's own name it would take the node's pods down. */
const GC_NETWORK = 'canal-e2e-gc';
const GC_CONF_DIR = '/run/canal-e2e-gc';
/** A namespace is gone by name at once; the kernel takes what it held, its number in others too, some time later. */
const TEARDOWN_MS = 10_000;

interface AddResult {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
}

/** cnitool on a node, with a namespace of the scenario's own. */
function openCnitool({ control, cleanup }: ScenarioContext, node: string, confDir: string) {
  const environment = [`NETCONFPATH=${confDir}`, 'CNI_PATH=/opt/cni/bin'];
  const run = (verb: string, network: string, allowFailure = false): Promise<CommandResult> =>
    control.exec(node, ['env', ...environment, control.program('cnitool'), verb, network, `/run/netns/${NETNS}`], {
      allowFailure,
    });
  return {
    run,
    /** Gives what takes the namespace away, and with it its number in the node's. */
    async open(network: string): Promise<() => Promise<void>> {
      await control.exec(node, ['ip', 'netns', 'add', NETNS]);
      const close = async (): Promise<void> => {
        await control.exec(node, ['ip', 'netns', 'del', NETNS], { allowFailure: true });
      };
      cleanup(async () => {
        await run('del', network, true);
        await close();
      });
      return close;
    },
  };
}

scenario(
  'cnitool (libcni): status, add, check, del with the conflist of the node',
  { limitMs: 60_000, needs: NEEDS },
  async (context) => {
    const { world, control, note } = context;
    const [node] = await world.nodes();
    if (node === undefined) throw new Error('the cluster has no node');
    const cnitool = openCnitool(context, node.name, CONF_DIR);
    const before = await listNode(control, node.name);
    const close = await cnitool.open('canal');

    await cnitool.run('status', 'canal');
    const added = JSON.parse((await cnitool.run('add', 'canal')).stdout) as AddResult;
    note('ADD gave', `${added.ips.map(({ address }) => address).join(', ')}, spec ${added.cniVersion}`);
    expect(added.ips).toHaveLength(world.settings.families.length);
    expect(added.interfaces.some(({ name, sandbox }) => name === 'eth0' && sandbox !== undefined)).toBe(true);
    await cnitool.run('check', 'canal');
    const addresses = await addressesInside(context, node.name);
    for (const { address } of added.ips) expect(addresses).toContain(address.split('/')[0]);
    // CHECK must notice: without the address it fails, by name.
    await control.exec(node.name, ['ip', '-n', NETNS, 'addr', 'flush', 'dev', 'eth0']);
    const check = await cnitool.run('check', 'canal', true);
    expect(check.status).not.toBe(0);
    note('CHECK without the address says', check.stderr.trim().split('\n').at(-1)?.slice(0, 160) ?? '');
    await cnitool.run('del', 'canal');
    await cnitool.run('del', 'canal');
    await close();
    const listAgain = async (): Promise<true> => {
      const left = compareListings(before, await listNode(control, node.name));
      expect(left, describeResidue(left)).toEqual({ added: [], removed: [] });
      return true;
    };
    await eventually('the node to be as before', listAgain, { withinMs: TEARDOWN_MS });
  },
);

async function addressesInside({ control }: ScenarioContext, node: string): Promise<readonly string[]> {
  const { stdout } = await control.exec(node, ['ip', '-n', NETNS, '-j', 'addr', 'show', 'dev', 'eth0']);
  const links = JSON.parse(stdout) as { addr_info: { local: string }[] }[];
  return links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local));
}

scenario('cnitool (libcni): gc clears away what nobody lists', { limitMs: 60_000, needs: NEEDS }, async (context) => {
  const { world, control, cleanup } = context;
  const [node] = await world.nodes();
  if (node === undefined) throw new Error('the cluster has no node');
  const copy = `mkdir -p ${GC_CONF_DIR} && sed 's/"name": *"canal"/"name": "${GC_NETWORK}"/' ${CONFLIST} > ${GC_CONF_DIR}/10-e2e.conflist`;
  await control.exec(node.name, ['sh', '-c', copy]);
  cleanup(async () => {
    const leftovers = [GC_CONF_DIR, `/var/lib/cni/networks/${GC_NETWORK}`, `/var/lib/canal/attachments/${GC_NETWORK}`];
    await control.exec(node.name, ['rm', '-rf', ...leftovers]);
  });
  const cnitool = openCnitool(context, node.name, GC_CONF_DIR);
  const before = await listNode(control, node.name);
  const close = await cnitool.open(GC_NETWORK);
  await cnitool.run('add', GC_NETWORK);
  const there = compareListings(before, await listNode(control, node.name));
  expect(there.added.filter((line) => line.startsWith('link cnl'))).toHaveLength(1);
  await cnitool.run('gc', GC_NETWORK);
  await close();
  const listAgain = async (): Promise<true> => {
    const left = compareListings(before, await listNode(control, node.name));
    const kept = left.added.filter((line) => !/\/(?:lock|last_reserved_ip\.\d|\.swept-boot-id)$/u.test(line));
    expect(kept, describeResidue(left)).toEqual([]);
    expect(left.removed).toEqual([]);
    return true;
  };
  await eventually('the node to be as before', listAgain, { withinMs: TEARDOWN_MS });
});

scenario(
  'containerd polls STATUS: the node says what the plugin says',
  { limitMs: 120_000, needs: NEEDS },
  async (context) => {
    const { world, control, note, cleanup } = context;
    const [, node] = await world.nodes();
    if (node === undefined) throw new Error('the scenario needs two nodes');
    const agent = await agentContainer(control, node.name);
    if (agent === undefined) throw new Error(`no agent runs on ${node.name}`);
    // STATUS answers from the file that the agent keeps; an agent that is held cannot put it back.
    const resume = (): Promise<CommandResult> =>
      control.exec(node.name, ['kill', '-CONT', String(agent.pid)], { allowFailure: true });
    cleanup(async () => {
      await resume();
    });
    await control.exec(node.name, ['kill', '-STOP', String(agent.pid)]);
    await control.exec(node.name, ['rm', '/run/flannel/subnet.env']);
    let startMs = performance.now();
    const message = await eventually(
      'the node to say NetworkReady=false',
      async () => {
        const text = await readyMessage(context, node.name);
        return text.includes('subnet.env') ? text : undefined;
      },
      { withinMs: 45_000 },
    );
    note('NotReady', `after ${seconds(startMs)}: ${message}`);
    expect(message).toContain('NetworkReady=false');
    startMs = performance.now();
    await resume();
    await eventually('the node to be Ready again', async () => (await readyByNode(world)).get(node.name), {
      withinMs: 45_000,
    });
    note('Ready again', `after ${seconds(startMs)}`);
  },
);

async function readyMessage({ world }: ScenarioContext, node: string): Promise<string> {
  const { stdout } = await world.kubectl([
    'get',
    'node',
    node,
    '-o',
    'jsonpath={.status.conditions[?(@.type=="Ready")].message}',
  ]);
  return stdout;
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
