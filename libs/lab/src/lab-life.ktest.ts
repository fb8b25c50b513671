/** A lab in use: pods and nodes come and go, processes die, other labs are beside it. */
import { readdirSync, readlinkSync } from 'node:fs';
import { formatIp } from 'net-types';
import { NODES, PODS } from '@canal/store-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLab, type Lab, openLab } from './lab.ts';
import { LabError } from './lab-error.ts';
import { inNamespace, namespaceExists } from './namespaces.ts';
import { describeLosses, pingMatrix } from './ping-matrix.ts';
import { findProcesses } from './processes.ts';
import { readLabState } from './lab-state.ts';
import { labPaths } from './lab-paths.ts';
import { waitFor } from './wait.ts';
import { createTestLab, TEST_STATE_ROOT, testLabName, testOptions } from './testing/test-lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await createTestLab({ nodes: 2, podsPerNode: 1, ipFamily: 'dual' });
});
afterAll(async () => {
  await lab.down();
});

const losses = async (): Promise<readonly string[]> => describeLosses(await pingMatrix(lab.pods()));
const refusal = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    await work();
    return 'no refusal';
  } catch (error) {
    return error instanceof LabError ? error.code : error;
  }
};
const ipRoute = (node: string): string =>
  inNamespace(lab.namespaceOf({ node }), () => Bun.spawnSync(['ip', 'route']).stdout.toString());

describe('pods', () => {
  test('one that is added gets addresses, reaches the others and has its object', async () => {
    const pod = await lab.addPod({ name: 'extra', node: 'node2', labels: { app: 'web' } });
    expect(pod.ips.map(formatIp)).toEqual([
      expect.stringMatching(/^10\.244\.2\./),
      expect.stringMatching(/^fd00:10:244:2::/),
    ]);
    expect(await losses()).toEqual([]);
    expect(await lab.store.get(PODS, 'extra', 'default')).toMatchObject({
      metadata: { labels: { app: 'web' } },
      spec: { nodeName: 'node2' },
      status: {
        phase: 'Running',
        podIP: formatIp(pod.ips[0] ?? fail()),
        podIPs: pod.ips.map((ip) => ({ ip: formatIp(ip) })),
      },
    });
  });

  test('one that is removed leaves neither namespace, nor host end, nor address, nor object', async () => {
    const pod = lab.pods().find((one) => one.name === 'extra') ?? fail();
    await lab.removePod(pod);
    expect(namespaceExists(pod.netns)).toBe(false);
    expect(ipRoute('node2')).not.toContain(formatIp(pod.ips[0] ?? fail()));
    expect(readdirSync(`${lab.pathsOf('node2').cniDataDir}/canal`)).not.toContain(formatIp(pod.ips[0] ?? fail()));
    expect(await lab.store.get(PODS, 'extra', 'default')).toBeUndefined();
  });

  test('goes to the node with the fewest pods unless told', async () => {
    const added = await lab.addPods([{ name: 'a' }, { name: 'b', node: 'node1' }], 1);
    expect(added.map((pod) => pod.node)).toEqual(['node1', 'node1']);
    await lab.removePod({ namespace: 'default', name: 'a' });
    await lab.removePod({ namespace: 'default', name: 'b' });
  });

  test('twenty at the same time', async () => {
    const added = await lab.addPods(
      Array.from({ length: 20 }, (_, i) => ({ name: `many${i}` })),
      20,
    );
    expect(new Set(added.flatMap((pod) => pod.ips.map(formatIp))).size).toBe(40);
    expect(describeLosses(await pingMatrix(added.slice(0, 6)))).toEqual([]);
    for (const pod of added) await lab.removePod(pod);
    expect(lab.pods()).toHaveLength(2);
  });

  test('are refused with a reason', async () => {
    expect(await refusal(() => lab.addPod({ name: 'pod1' }))).toBe('exists');
    expect(await refusal(() => lab.addPod({ name: 'x', node: 'nowhere' }))).toBe('not-found');
    expect(await refusal(() => lab.addPod({ name: 'x', namespace: 'nowhere' }))).toBe('not-found');
    expect(await refusal(() => lab.addPod({ name: '../x' }))).toBe('invalid');
    expect(await refusal(() => lab.removePod({ namespace: 'default', name: 'nobody' }))).toBe('not-found');
    expect(await lab.store.get(PODS, 'x', 'default')).toBeUndefined();
  });

  test('a failed ADD leaves nothing of the pod', async () => {
    const { writeFileSync, readFileSync } = await import('node:fs');
    const conflist = `${lab.pathsOf('node1').cniConfDir}/10-canal.conflist`;
    const good = readFileSync(conflist, 'utf8');
    writeFileSync(conflist, good.replace('"routed"', '"nonsense"'));
    const attempt = await refusal(() => lab.addPod({ name: 'unlucky', node: 'node1' }));
    writeFileSync(conflist, good);
    expect(attempt).toBe('failed');
    expect(lab.pods().map((pod) => pod.name)).not.toContain('unlucky');
    expect(namespaceExists(`canal-${lab.spec.name}.node1.unlucky`)).toBe(false);
    expect(await lab.store.get(PODS, 'unlucky', 'default')).toBeUndefined();
  });

  test('a command runs in the pod’s network, and its exit code comes back', async () => {
    const target = { pod: { namespace: 'default', name: 'pod1' } };
    expect(await lab.exec(target, ['sh', '-c', 'test -e /proc/net/dev && exit 7'])).toBe(7);
    expect(await lab.exec(target, ['sh', '-c', 'kill -9 $$'])).toBe(137);
    expect(await lab.exec(target, ['no-such-command'])).toBe(127);
  });
});

describe('nodes', () => {
  test('one that is added is reached by all, and reaches all', async () => {
    const node = await lab.addNode();
    expect(node).toMatchObject({ name: 'node3', number: 3 });
    await lab.addPod({ name: 'on3', node: 'node3' });
    expect(await losses()).toEqual([]);
  });

  test('one that is removed is forgotten by the others, with all that it had', async () => {
    const before = findProcesses(readLabState(labPaths(TEST_STATE_ROOT, lab.spec.name))?.id ?? '').length;
    await lab.removeNode('node3');
    expect(lab.nodes().map((node) => node.name)).toEqual(['node1', 'node2']);
    expect(lab.pods().map((pod) => pod.name)).not.toContain('on3');
    expect(namespaceExists(`canal-${lab.spec.name}.node3`)).toBe(false);
    expect(await lab.store.get(NODES, 'node3')).toBeUndefined();
    // flanneld and the policy agent.
    expect(findProcesses(readLabState(labPaths(TEST_STATE_ROOT, lab.spec.name))?.id ?? '')).toHaveLength(before - 2);
    await waitFor('the route to go', { timeoutMs: 5000 }, () => !ipRoute('node1').includes('10.244.3.0') || undefined);
  });

  test('its number and name are used again', async () => {
    expect((await lab.addNode()).name).toBe('node3');
    await lab.removeNode('node3');
    expect(await refusal(() => lab.addNode({ name: 'node1' }))).toBe('exists');
    expect(await refusal(() => lab.addNode({ name: 'underlay' }))).toBe('invalid');
    expect(await refusal(() => lab.addNode({ segment: 2 }))).toBe('invalid');
  });
});

describe('a lab that is up', () => {
  test('is shown, not made again, when it is the same', async () => {
    const again = await createLab(lab.spec, testOptions());
    expect(again.created).toBe(false);
    expect(again.pods()).toEqual(lab.pods());
  });

  test('is not changed into another one', async () => {
    expect(await refusal(() => createLab({ ...lab.spec, nodes: 5 }, testOptions()))).toBe('exists');
    expect((await lab.status()).healthy).toBe(true);
  });

  test('tells what is not well, and is healed by "up"; traffic goes on meanwhile', async () => {
    const { id } = readLabState(labPaths(TEST_STATE_ROOT, lab.spec.name)) ?? fail();
    for (const one of findProcesses(id)) process.kill(one.pid, 'SIGKILL');
    await waitFor('their end', { timeoutMs: 5000 }, () => findProcesses(id).length === 0 || undefined);
    const status = await lab.status();
    expect(status).toMatchObject({ healthy: false, apiServer: { running: false } });
    expect(status.nodes.map((node) => node.agent.running)).toEqual([false, false]);
    expect(await losses()).toEqual([]);

    const kubeconfig = await Bun.file(lab.kubeconfig).text();
    expect((await createLab(lab.spec, testOptions())).created).toBe(false);
    expect((await lab.status()).healthy).toBe(true);
    expect(await Bun.file(lab.kubeconfig).text()).toBe(kubeconfig);
    expect((await lab.store.list(PODS)).length).toBe(2);
  });

  test('serves kubectl over its kubeconfig', async () => {
    const config = JSON.parse(await Bun.file(lab.kubeconfig).text()) as {
      clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
      users: [{ user: { token: string } }];
    };
    const [{ cluster }] = config.clusters;
    const answer = await fetch(`${cluster.server}/api/v1/nodes`, {
      headers: { Authorization: `Bearer ${config.users[0].user.token}` },
      tls: { ca: Buffer.from(cluster['certificate-authority-data'], 'base64').toString() },
    });
    expect(((await answer.json()) as { items: unknown[] }).items).toHaveLength(2);
  });

  test('two live side by side; ending one does not disturb the other', async () => {
    const other = await createLab({ name: testLabName(), nodes: 2, podsPerNode: 1, backend: 'host-gw' }, testOptions());
    expect(describeLosses(await pingMatrix(other.pods()))).toEqual([]);
    expect(await losses()).toEqual([]);
    await other.down();
    expect(await losses()).toEqual([]);
    expect((await lab.status()).healthy).toBe(true);
    expect(await refusal(() => Promise.resolve(openLab(other.spec.name, testOptions())))).toBe('not-found');
  });

  test('no thread of this process has stayed in a namespace of the lab', () => {
    const homes = readdirSync('/proc/self/task').flatMap((task) => {
      try {
        return [readlinkSync(`/proc/self/task/${task}/ns/net`)];
      } catch {
        // It has ended since.
        return [];
      }
    });
    expect(new Set(homes)).toEqual(new Set([readlinkSync('/proc/self/ns/net')]));
  });
});

function fail(): never {
  throw new Error('absent');
}
