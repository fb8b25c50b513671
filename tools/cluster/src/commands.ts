/** The commands of the tool: words of the command line to calls of the cluster's functions. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { buildPrograms } from './build.ts';
import { bringUp, takeDown } from './cluster.ts';
import type { CommandLine } from './command-line.ts';
import { DEFAULT_NAME, parseChoice, parseCommandLine, parseCount } from './command-line.ts';
import { CONTROL_PLANE, CONTROL_PLANE_COMPONENTS, NODE_COMPONENTS } from './component.ts';
import { ClusterError } from './failure.ts';
import type { Cluster } from './open-cluster.ts';
import { openCluster } from './open-cluster.ts';
import type { Shape } from './plan.ts';
import { DEFAULT_SHAPE, IP_FAMILIES, MAX_NODES, PROXY_MODES, STATE_FOLDER } from './plan.ts';
import { exitStatus } from './process.ts';
import { CNI_PLUGINS, KUBERNETES_MINORS } from './programs.ts';
import { clusterNames, readState } from './state.ts';
import { formatStatus } from './status.ts';

type Command = (line: CommandLine) => Promise<number>;

const HELP = `Usage: npm run cluster -- COMMAND [--name NAME] …      a real Kubernetes on this machine (root, Linux)

  up [--nodes 2] [--kube-proxy ${PROXY_MODES.join('|')}] [--ip-family ${IP_FAMILIES.join('|')}]
     [--kubernetes ${KUBERNETES_MINORS.join('|')}] [--cni-plugins ${CNI_PLUGINS.join(',')}]
  build [--kubernetes V] [--only PROGRAM] [--output json]
                               only builds the programs (Go ≥ 1.26 needed) and says where they are
  status [--output json]       what is up, addresses, paths
  kubectl ARGS…                the kubectl built here, with the cluster's kubeconfig
  node N|control-plane CMD…    runs CMD as root in a node's network, mount and UTS namespace
  outside CMD…                 runs CMD in a client namespace on the underlay that is no node
  load-image TAR [--node N]    imports a docker-archive on one node or all
  node-add | node-remove N     a new node; a node gone for good, its Node object deleted
  halt N | reboot N            power cut; power cut and boot (files kept, new boot id)
  restart|stop|start N ${NODE_COMPONENTS.join('|')}
  apiserver stop|start         the API server alone
  logs N|control-plane [COMPONENT]
  list                         names of the clusters of this machine
  down                         takes everything away, also after a crash

NAME is ${DEFAULT_NAME} by default; N is a node's name or number. Files of a cluster: ${STATE_FOLDER}/NAME.
Exit status: 0 done; 1 failed; 2 wrong command line; 3 this machine lacks something; 4 a cluster of that name and another
shape is up; 5 no such cluster or node. kubectl, node and outside give the status of the command.
`;

const COMMANDS: Readonly<Record<string, Command>> = {
  help: () => {
    process.stdout.write(HELP);
    return Promise.resolve(0);
  },
  up: async ({ name, options }) => {
    await bringUp({ name, shape: parseShape(options), progress }).catch((error: unknown) => {
      if (readState(name)?.phase === 'starting')
        progress(`what came up stays for a look; "npm run cluster -- down --name ${name}" takes it away`);
      throw error;
    });
    const cluster = await openCluster(name, progress);
    process.stdout.write(formatStatus(await cluster.status()));
    return 0;
  },
  build: async ({ options }) => {
    const kubernetes = parseChoice('--kubernetes', options['kubernetes'] ?? KUBERNETES_MINORS[0], KUBERNETES_MINORS);
    const output = parseChoice('--output', options['output'] ?? 'text', ['text', 'json']);
    const { only } = options;
    const { path } = await buildPrograms({
      kubernetes,
      progress,
      ...(only === undefined ? {} : { only }),
    });
    const built = Object.entries(path).filter(([program]) => only === undefined || only === program);
    const text = built.map(([program, file]) => `${program.padEnd(24)} ${file}\n`).join('');
    process.stdout.write(output === 'json' ? `${JSON.stringify(Object.fromEntries(built), null, 2)}\n` : text);
    return 0;
  },
  down: async ({ name }) => {
    if (!(await takeDown(name, progress))) progress(`cluster ${name} is not up`);
    return 0;
  },
  list: () => {
    process.stdout.write(
      clusterNames()
        .map((name) => `${name}\n`)
        .join(''),
    );
    return Promise.resolve(0);
  },
  status: async ({ name, options }) => {
    const output = parseChoice('--output', options['output'] ?? 'text', ['text', 'json']);
    const status = await (await open(name)).status();
    process.stdout.write(output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : formatStatus(status));
    return 0;
  },
  kubectl: async ({ name, words }) => {
    const cluster = await open(name);
    return passOn(cluster, cluster.kubectlCommand(words));
  },
  node: async ({ name, words: [node, ...command] }) => {
    if (node === undefined || command.length === 0)
      throw new ClusterError('usage', 'node N CMD…: give a node and a command');
    const cluster = await open(name);
    return passOn(cluster, cluster.nodeCommand(node, command));
  },
  outside: async ({ name, words }) => {
    if (words.length === 0) throw new ClusterError('usage', 'outside CMD…: give a command');
    const cluster = await open(name);
    return passOn(cluster, cluster.outsideCommand(words));
  },
  'load-image': async ({ name, options, words: [archive] }) => {
    if (archive === undefined || !existsSync(archive))
      throw new ClusterError(
        'usage',
        `load-image TAR: ${archive === undefined ? 'give a file' : `no file ${archive}`}`,
      );
    await (await open(name)).loadImage(resolve(archive), options['node']);
    return 0;
  },
  'node-add': async ({ name }) => {
    process.stdout.write(`${await (await open(name)).addNode()}\n`);
    return 0;
  },
  'node-remove': onNode((cluster, node) => cluster.removeNode(node)),
  halt: onNode((cluster, node) => cluster.halt(node)),
  reboot: onNode((cluster, node) => cluster.reboot(node)),
  restart: onComponent((cluster, node, component) => cluster.restart(node, component)),
  stop: onComponent((cluster, node, component) => cluster.stop(node, component)),
  start: onComponent((cluster, node, component) => cluster.start(node, component)),
  apiserver: async ({ name, words: [verb = ''] }) => {
    const cluster = await open(name);
    if (parseChoice('apiserver', verb, ['stop', 'start']) === 'stop') await cluster.stopControlPlane('kube-apiserver');
    else await cluster.startControlPlane('kube-apiserver');
    return 0;
  },
  logs: async ({ name, words: [member = CONTROL_PLANE, component] }) => {
    const cluster = await open(name);
    const known: readonly string[] =
      member === CONTROL_PLANE ? CONTROL_PLANE_COMPONENTS : [...NODE_COMPONENTS, 'holder'];
    for (const wanted of component === undefined ? known : [parseChoice('logs', component, known)]) {
      const file = cluster.log(member, wanted);
      process.stdout.write(`==> ${file} <==\n${existsSync(file) ? readFileSync(file, 'utf8') : '(nothing)\n'}`);
    }
    return 0;
  },
};

/** Runs one command; gives the exit status. Throws ClusterError. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const line = parseCommandLine(argv);
  const command = Object.hasOwn(COMMANDS, line.command) ? COMMANDS[line.command] : undefined;
  if (command === undefined)
    throw new ClusterError(
      'usage',
      `no command ${JSON.stringify(line.command)}: "npm run cluster -- --help" lists them`,
    );
  if (line.command !== 'help' && line.command !== 'build' && process.getuid?.() !== 0)
    throw new ClusterError('host', 'a cluster makes namespaces and mounts and needs root: run it with sudo');
  return command(line);
}

function parseShape(options: Readonly<Record<string, string>>): Shape {
  const plugins = options['cni-plugins'];
  return {
    nodes: parseCount('--nodes', options['nodes'] ?? String(DEFAULT_SHAPE.nodes), MAX_NODES),
    kubeProxy: parseChoice('--kube-proxy', options['kube-proxy'] ?? DEFAULT_SHAPE.kubeProxy, PROXY_MODES),
    ipFamily: parseChoice('--ip-family', options['ip-family'] ?? DEFAULT_SHAPE.ipFamily, IP_FAMILIES),
    kubernetes: parseChoice('--kubernetes', options['kubernetes'] ?? DEFAULT_SHAPE.kubernetes, KUBERNETES_MINORS),
    cniPlugins: (plugins?.split(',') ?? []).map((plugin) => parseChoice('--cni-plugins', plugin, CNI_PLUGINS)),
  };
}

function onNode(act: (cluster: Cluster, node: string) => Promise<void>): Command {
  return async ({ command, name, words: [node] }) => {
    if (node === undefined) throw new ClusterError('usage', `${command} N: give a node's name or number`);
    await act(await open(name), node);
    return 0;
  };
}

function onComponent(
  act: (cluster: Cluster, node: string, component: (typeof NODE_COMPONENTS)[number]) => Promise<void>,
): Command {
  return async ({ command, name, words: [node, component] }) => {
    if (node === undefined || component === undefined)
      throw new ClusterError('usage', `${command} N ${NODE_COMPONENTS.join('|')}: give a node and a component`);
    await act(await open(name), node, parseChoice(command, component, NODE_COMPONENTS));
    return 0;
  };
}

/** Runs a program with this one's terminal; gives its exit status. */
function passOn(cluster: Cluster, argv: readonly string[]): Promise<number> {
  const [command = '', ...rest] = argv;
  const env = { ...cluster.environment(), TERM: process.env['TERM'] ?? 'dumb' };
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { stdio: 'inherit', env });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      resolve(exitStatus(status, signal));
    });
  });
}

function open(name: string): Promise<Cluster> {
  return openCluster(name, progress);
}

function progress(line: string): void {
  process.stderr.write(`cluster: ${line}\n`);
}
