/** Control of the machines of a cluster that tools/cluster has brought up. */
import { readFileSync } from 'node:fs';
import { openCluster } from '@canal/cluster';
import { runCommand } from './command.ts';
import type { NodeControl, Outside } from './world.ts';

/** Requests as a program: nothing else is sure to be there for them. Arguments: the URL and how often. */
const FETCH = `const [url, times] = process.argv.slice(-2);
const bodies = [];
for (let index = 0; index < Number(times); index += 1) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000), keepalive: false });
  if (!answer.ok) throw new Error(String(answer.status));
  bodies.push(await answer.text());
}
process.stdout.write(JSON.stringify(bodies));`;

export async function openClusterControl(
  name: string,
): Promise<{ readonly control: NodeControl; readonly outside: Outside }> {
  const cluster = await openCluster(name);
  const programs: Readonly<Record<string, string>> = cluster.programs.path;
  const program = (wanted: string): string => {
    const path = programs[wanted];
    if (path !== undefined) return path;
    throw new Error(`the cluster has no program ${wanted}, only ${Object.keys(programs).join(', ')}`);
  };
  const env = cluster.environment();
  const control: NodeControl = {
    exec: (node, command, options) => runCommand(cluster.nodeCommand(node, command), { ...options, env }),
    addNode: () => cluster.addNode(),
    removeNode: (node) => cluster.removeNode(node),
    reboot: (node) => cluster.reboot(node),
    stop: (node, component) => cluster.stop(node, component),
    start: (node, component) => cluster.start(node, component),
    restart: (node, component) => cluster.restart(node, component),
    stopApiServer: () => cluster.stopControlPlane('kube-apiserver'),
    startApiServer: () => cluster.startControlPlane('kube-apiserver'),
    loadImage: (tar, node) => cluster.loadImage(tar, node),
    logs: (member, component) => Promise.resolve(readFileSync(cluster.log(member, component), 'utf8')),
    async hostRoot(node) {
      const found = (await cluster.status()).nodes.find((one) => one.name === node);
      if (found === undefined) throw new Error(`the cluster has no node ${node}`);
      return found.root;
    },
    program,
  };
  const execOutside: Outside['exec'] = (command, options) =>
    runCommand(cluster.outsideCommand(command), { ...options, env });
  const outside: Outside = {
    exec: execOutside,
    async get(url, times = 1) {
      const { stdout } = await execOutside([process.execPath, '-e', FETCH, url, String(times)]);
      return JSON.parse(stdout) as readonly string[];
    },
    ips: (await cluster.status()).outside.ips,
    agnhost: program('agnhost'),
  };
  return { control, outside };
}
