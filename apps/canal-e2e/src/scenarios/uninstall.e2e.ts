/**
 * `canalctl uninstall` on a whole cluster. Nodes are listed by second tools (ip, nft, sysctl, find) before an install and
 * after the uninstall: both must be the same. Ends with canal installed again, so that what follows finds a network.
 */
import { resolve } from 'node:path';
import { expect } from 'vitest';
import { AGENT_NAMESPACE, allReady, readyByNode } from '../agents.ts';
import { runCommand } from '../command.ts';
import { eventually } from '../eventually.ts';
import { compareListings, describeResidue, listNode, type NodeListing } from '../residue.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';
import type { CommandResult } from '../world.ts';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const PROGRAM_LIMIT_MS = 150_000;

/** `canalctl uninstall …` as a person with a kubeconfig runs it. */
async function canalctl({ world }: ScenarioContext, ...flags: string[]): Promise<CommandResult> {
  const command = [BINARY, 'canalctl', 'uninstall', `--kubeconfig=${world.kubeconfig}`, ...flags];
  return await runCommand(command, { timeoutMs: PROGRAM_LIMIT_MS, allowFailure: true });
}

/** Records and lines that change by themselves, or that the runtime keeps of its own for pods that live. */
const RESTLESS =
  /nf_conntrack_count|flow_limit|fastopen_key|stable_secret|cni\/results\/cni-loopback|^nsid |\/run\/netns\//;

const MORE = `sysctl -a 2>/dev/null | grep '^net\\.'; find /opt/cni /etc/cni -printf '%p %y %m %U\\n'`;

async function listing({ control }: ScenarioContext, node: string): Promise<NodeListing> {
  const { stdout } = await control.exec(node, ['sh', '-c', MORE]);
  const lines = [...(await listNode(control, node)), ...stdout.split('\n').filter((line) => line !== '')];
  return new Set(lines.filter((line) => !RESTLESS.test(line)));
}

async function listings(context: ScenarioContext): Promise<Map<string, NodeListing>> {
  const found = new Map<string, NodeListing>();
  for (const { name } of await context.world.nodes()) found.set(name, await listing(context, name));
  return found;
}

function differences(before: Map<string, NodeListing>, after: Map<string, NodeListing>): string {
  const texts = [...before].map(([node, listed]) => {
    const residue = describeResidue(compareListings(listed, after.get(node) ?? new Set()));
    return residue === '' ? '' : `${node}\n${residue}`;
  });
  return texts.filter((text) => text !== '').join('\n');
}

async function install({ world }: ScenarioContext): Promise<void> {
  // A namespace on its way out takes nothing new.
  await eventually(
    'the namespace to be gone',
    async () => {
      const { stdout } = await world.kubectl(['get', 'namespace', AGENT_NAMESPACE, '--ignore-not-found', '-o', 'name']);
      return stdout.trim() === '';
    },
    { withinMs: 60_000 },
  );
  await world.kubectl(['apply', '-f', world.settings.manifest]);
  await allReady(world, 120_000);
}

scenario(
  'uninstall: a dry run names everything and changes nothing',
  { limitMs: 120_000, needs: ['node-control'] },
  async (context) => {
    const before = await listings(context);
    const { status, stdout, stderr } = await canalctl(context, '--dry-run');
    expect(`${status} ${stderr}`).toMatch(/^0 /);
    for (const name of before.keys()) expect(stdout).toContain(name);
    expect(stdout).toMatch(/would-remove cni-config \/etc\/cni\/net\.d\/10-canal\.conflist/);
    expect(stdout).toMatch(/would-remove program \/opt\/cni\/bin\/canal/);
    expect(stdout).toMatch(/would delete: .*Namespace canal-system/);
    expect(differences(before, await listings(context))).toBe('');
    await allReady(context.world, 30_000);
  },
);

scenario(
  'uninstall: every node is as it was before the install',
  { limitMs: 420_000, needs: ['node-control'] },
  async (context) => {
    const { world, control, pods, note } = context;
    // From here on until canal is there again, pods of no namespace can end.
    context.cleanup(() => install(context));
    expect(await canalctl(context, '--yes')).toMatchObject({ status: 0 });
    const nodes = await world.nodes();
    for (const { name } of nodes) {
      // A host that did not route: the uninstall has to put that back.
      await control.exec(name, ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
      context.cleanup(async () => {
        await control.exec(name, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
      });
    }
    const before = await listings(context);
    for (const [node, lines] of before) {
      const ours = [...lines].filter((line) => /canal|flannel|link cnl|proto 20[34]/.test(line));
      expect(ours, node).toEqual([]);
    }

    await install(context);
    await pods.create(nodes.map(({ name }) => ({ name: `on-${name}`, node: name })));
    // What is to be missed later is to be seen now.
    const during = differences(before, await listings(context));
    for (const seen of ['+ file /var/lib/canal/', '+ file /var/lib/cni/', '+ link cnl', '+ /opt/cni/bin/canal']) {
      expect(during.split(seen).length - 1, `${seen} on each node`).toBeGreaterThanOrEqual(nodes.length);
    }
    const startMs = performance.now();
    const { status, stdout, stderr } = await canalctl(context, '--yes', '--output=json');
    note('uninstall of all nodes', `${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    expect(`${status} ${stderr}`).toMatch(/^0 /);
    const result = JSON.parse(stdout) as {
      nodes: { node: string; outcome: string; report: { objects: { outcome: string }[]; remaining: string[] } }[];
    };
    expect(result.nodes.map(({ node, outcome }) => `${node} ${outcome}`)).toEqual(
      nodes.map(({ name }) => `${name} done`),
    );
    for (const { node, report } of result.nodes) {
      const count = (wanted: string): number => report.objects.filter(({ outcome }) => outcome === wanted).length;
      note(node, `${count('removed')} objects removed, ${count('restored')} sysctls restored`);
      expect(count('removed')).toBeGreaterThan(10);
      expect(count('restored')).toBeGreaterThan(0);
      expect(report.remaining).toEqual([]);
    }
    expect(differences(before, await listings(context))).toBe('');
    expect([...(await readyByNode(world)).keys()]).toHaveLength(nodes.length);
    await expectNothingInTheApi(context);

    const again = await canalctl(context, '--yes');
    expect(again.status).toBe(0);
    expect(again.stdout).toContain('no objects of canal in the cluster');
    expect(differences(before, await listings(context))).toBe('');
  },
);

async function expectNothingInTheApi({ world }: ScenarioContext): Promise<void> {
  const kinds = 'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';
  const { stdout } = await world.kubectl(['get', kinds, '-l', 'k8s-app=canal', '-o', 'name']);
  expect(stdout.trim()).toBe('');
  const annotations = await world.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.annotations}']);
  expect(annotations.stdout).not.toContain('flannel.alpha.coreos.com');
  const path = 'jsonpath={.items[*].status.conditions[?(@.type=="NetworkUnavailable")].status}';
  const conditions = await world.kubectl(['get', 'nodes', '-o', path]);
  expect(new Set(conditions.stdout.trim().split(' '))).toEqual(new Set(['True']));
}
