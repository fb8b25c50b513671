import { Argument, Command, Option } from 'commander';
import { type CommandContext } from '../command-context.ts';
import { listFormatOption } from '../output/list-format.ts';
import { UsageError } from '../report-error.ts';
import { type LabFlags, type OutputFlags } from './lab-flags.ts';
import { type GetFlags } from './objects.ts';
import { type UpFlags } from './up.ts';

/** `canalctl lab …`: a cluster of network namespaces on this machine. */
export function labCommand(context: CommandContext): Command {
  const lab = new Command('lab')
    .description('A cluster on this machine: nodes and pods are network namespaces, the programs are the real ones')
    .addHelpText('after', '\nLabs are kept apart by --name. All commands need root.');
  lab.addCommand(upCommand(context));
  lab.addCommand(statusCommand(context));
  lab.addCommand(listCommand(context));
  lab.addCommand(pingCommand(context));
  lab.addCommand(probeCommand(context));
  lab.addCommand(podCommand(context));
  lab.addCommand(nodeCommand(context));
  for (const command of objectCommands(context)) lab.addCommand(command);
  lab.addCommand(downCommand(context));
  lab.addCommand(serveCommand(context), { hidden: true });
  return lab;
}

/** A command on one lab. */
function onLab(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option('--name <lab>', 'which lab').default('lab').env('CANAL_LAB'))
    .addOption(
      new Option('--state-root <directory>', 'where labs keep their files')
        .default('/run/canal-lab')
        .env('CANAL_LAB_STATE_ROOT')
        .hideHelp(),
    );
}

function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'),
  );
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text))
    throw new UsageError(`${JSON.stringify(text)} is no whole number`, 'give one such as 3');
  return Number(text);
}

function upCommand(context: CommandContext): Command {
  return withOutput(onLab('up', 'bring a lab up; one that is up and the same is shown, and healed where it is broken'))
    .addOption(new Option('--nodes <n>', 'number of nodes').default(3).argParser(wholeNumber))
    .addOption(new Option('--pods-per-node <n>', 'pods on each node').default(2).argParser(wholeNumber))
    .addOption(
      new Option('--backend <type>', 'how traffic between nodes travels')
        .choices(['vxlan', 'host-gw'])
        .default('vxlan'),
    )
    .option('--direct-routing', 'vxlan: without encapsulation to nodes of the same segment (the lab then has two)')
    .addOption(
      new Option('--ip-family <family>', 'addresses of nodes and pods')
        .choices(['ipv4', 'dual', 'ipv6'])
        .default('ipv4'),
    )
    .addOption(
      new Option('--pod-mode <mode>', 'how pods are attached to their node')
        .choices(['routed', 'bridge'])
        .default('routed'),
    )
    .option('--no-policy', 'the network alone: no policy agent, and NetworkPolicy has no effect')
    .addOption(new Option('--segments <n>', 'layer 2 segments of the underlay').argParser(wholeNumber))
    .addOption(new Option('--mtu <bytes>', 'MTU of the underlay').default(1500).argParser(wholeNumber))
    .action(async (flags: UpFlags) => {
      const { runUp } = await import('./up.ts');
      await runUp(context, flags);
    });
}

function statusCommand(context: CommandContext): Command {
  return withOutput(
    onLab('status', 'show nodes, subnets, peers and processes; exit code 5 when something is not well'),
  ).action(async (flags: LabFlags & OutputFlags) => {
    const { runStatus } = await import('./status.ts');
    await runStatus(context, flags);
  });
}

function listCommand(context: CommandContext): Command {
  return withOutput(onLab('list', 'the labs of this machine')).action(async (flags: LabFlags & OutputFlags) => {
    const { runList } = await import('./list.ts');
    runList(context, flags);
  });
}

function pingCommand(context: CommandContext): Command {
  return withOutput(onLab('ping', 'every pod pings every pod; exit code 5 when a packet is lost')).action(
    async (flags: LabFlags & OutputFlags) => {
      const { runPing } = await import('./ping.ts');
      await runPing(context, flags);
    },
  );
}

function probeCommand(context: CommandContext): Command {
  return withOutput(
    onLab('probe', 'talk from one end to a server that is opened at the other; exit code 5 when nothing comes back'),
  )
    .addArgument(new Argument('<from>', 'pod, or an address of a pod, a node or the world outside'))
    .addArgument(new Argument('<to>', 'such an end with a port: POD:PORT, ADDRESS:PORT, [ADDRESS]:PORT'))
    .option('--udp', 'instead of TCP')
    .action(async (from: string, to: string, flags: LabFlags & OutputFlags & { udp?: true }) => {
      const { runProbe } = await import('./probe.ts');
      await runProbe(context, from, to, flags);
    });
}

function podCommand(context: CommandContext): Command {
  const pod = new Command('pod').description('pods: add, rm, exec');
  const named = new Argument('<pod>', 'name, or namespace/name');
  pod.addCommand(
    withOutput(onLab('add', 'run a pod: its namespace, CNI ADD by the real plugin, its object'))
      .addArgument(named)
      .option('--node <node>', 'where (default: the node with the fewest pods)')
      .option('--label <key=value...>', 'labels of the pod (default: app=<name>)')
      .action(async (name: string, flags: LabFlags & OutputFlags & { node?: string; label?: string[] }) => {
        const { runPodAdd } = await import('./pods.ts');
        await runPodAdd(context, name, flags);
      }),
  );
  pod.addCommand(
    onLab('rm', 'stop a pod: CNI DEL, then everything of it goes')
      .addArgument(named)
      .action(async (name: string, flags: LabFlags) => {
        const { runPodRemove } = await import('./pods.ts');
        await runPodRemove(context, name, flags);
      }),
  );
  pod.addCommand(execCommand(context, 'pod', named));
  return pod;
}

function nodeCommand(context: CommandContext): Command {
  const node = new Command('node').description('nodes: add, rm, exec');
  const named = new Argument('<node>', 'name of the node');
  node.addCommand(
    withOutput(onLab('add', 'add a node and wait for its agent'))
      .addArgument(new Argument('[node]', 'its name (default: node and the next free number)'))
      .addOption(
        new Option('--segment <n>', 'segment of the underlay (default: the one with the fewest nodes)').argParser(
          wholeNumber,
        ),
      )
      .action(async (name: string | undefined, flags: LabFlags & OutputFlags & { segment?: number }) => {
        const { runNodeAdd } = await import('./nodes.ts');
        await runNodeAdd(context, name, flags);
      }),
  );
  node.addCommand(
    onLab('rm', 'switch a node off and take it out of the cluster, with its pods')
      .addArgument(named)
      .action(async (name: string, flags: LabFlags) => {
        const { runNodeRemove } = await import('./nodes.ts');
        await runNodeRemove(context, name, flags);
      }),
  );
  node.addCommand(execCommand(context, 'node', named));
  return node;
}

function execCommand(context: CommandContext, kind: 'pod' | 'node', named: Argument): Command {
  return onLab('exec', `run a command of this machine in the ${kind}'s network; exit code: the command's`)
    .addArgument(named)
    .addArgument(new Argument('<command...>', 'the command and its arguments (put -- before it)'))
    .action(async (name: string, command: string[], flags: LabFlags) => {
      const { runExec } = await import('./exec.ts');
      await runExec(context, kind, name, command, flags);
    });
}

function objectCommands(context: CommandContext): readonly Command[] {
  const namespaced = (command: Command): Command =>
    command.option('-n, --namespace <namespace>', 'namespace of the objects', 'default');
  return [
    namespaced(onLab('apply', 'create or change objects of the lab’s API server'))
      .requiredOption('-f, --filename <file>', 'YAML or JSON, several documents allowed; - is standard input')
      .action(async (flags: LabFlags & { namespace: string; filename: string }) => {
        const { runApply } = await import('./objects.ts');
        await runApply(context, flags);
      }),
    namespaced(onLab('get', 'show objects of the lab’s API server'))
      .argument('<kind>', 'nodes, pods, networkpolicies, …')
      .argument('[object]', 'one of them')
      .option('-A, --all-namespaces', 'of all namespaces')
      .addOption(listFormatOption())
      .action(async (kind: string, name: string | undefined, flags: GetFlags) => {
        const { runGet } = await import('./objects.ts');
        await runGet(context, kind, name, flags);
      }),
    namespaced(onLab('delete', 'delete an object of the lab’s API server'))
      .argument('<kind>', 'node, pod, networkpolicy, …')
      .argument('<object>', 'its name')
      .action(async (kind: string, name: string, flags: LabFlags & { namespace: string }) => {
        const { runDelete } = await import('./objects.ts');
        await runDelete(context, kind, name, flags);
      }),
  ];
}

function downCommand(context: CommandContext): Command {
  return onLab('down', 'end a lab and remove everything of it, also what a killed "up" left')
    .option('--all', 'every lab of this machine')
    .action(async (flags: LabFlags & { all?: true }) => {
      const { runDown } = await import('./down.ts');
      await runDown(context, flags);
    });
}

/** What `up` starts in the background. */
function serveCommand(context: CommandContext): Command {
  return onLab('serve', 'run the API server of a lab').action(async (flags: LabFlags) => {
    const { serveLabApi } = await import('@canal/lab');
    await serveLabApi(flags.name, { stateRoot: flags.stateRoot, signal: context.signal });
  });
}
