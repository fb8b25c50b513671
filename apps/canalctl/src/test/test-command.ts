import { Command, Option } from 'commander';
import { onCluster } from '../cluster/cluster-flags.ts';
import { collectValues } from '../collect-values.ts';
import type { CommandContext } from '../command-context.ts';
import { UsageError } from '../report-error.ts';
import type { TestFlags } from './run.ts';

const ABOUT = `
Makes a namespace with two small pods on each of the chosen nodes and lets them try: pod to pod on one node and between nodes by TCP
and UDP, packets that fill the MTU, pod to node, node to pod, a service by its address and its name, a policy that isolates and one
that allows; each in every address family that pods have. The pods run canal's own image as the DaemonSet names it, conform to
the pod security standard "restricted", and answer to this command alone. The namespace is deleted at the end, also after Ctrl-C.

The user needs: nodes (list), namespaces (list, create, delete), the DaemonSet (get); in the namespace serviceaccounts, pods, services
and networkpolicies (create), pods (list), pods/portforward (create). With --lab the same is tried in a lab, as root.

A line each kind of test, and one each test that fails or is left out; -o wide has one for every test.

Exit code 0 when nothing fails, 5 when a test fails, 7 when there was no time for all, 1 when nothing could be tried.

  canalctl test
  canalctl test --node node1 --node node2 --junit canal.xml
  canalctl test --lab lab`;

const [MIN_SECONDS, MAX_SECONDS] = [20, 120];

/** `canalctl test`: whether the network does what it should, tried by pods of its own. */
export function testCommand(context: CommandContext): Command {
  return onCluster(
    new Command('test').description('Try the network with pods of its own: pods, nodes, services, names, policies'),
  )
    .addOption(
      new Option('--node <name>', 'on this node; may be repeated (default: those that are ready)').argParser(
        collectValues,
      ),
    )
    .addOption(
      new Option('--nodes <n>', 'on at most so many nodes, when none is named').default(3).argParser(numberOfNodes),
    )
    .addOption(new Option('--timeout <seconds>', 'how long all of it may take').default(60).argParser(seconds))
    .option('--junit <file>', 'also write the results as JUnit XML')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json', 'yaml']).default('table'),
    )
    .option('-n, --namespace <namespace>', 'where canal is installed', 'canal-system')
    .option('--image <image>', "instead of the DaemonSet's")
    .option('--lab <lab>', 'a lab on this machine instead of a cluster')
    .addOption(
      new Option('--state-root <directory>', 'where labs keep their files')
        .default('/run/canal-lab')
        .env('CANAL_LAB_STATE_ROOT')
        .hideHelp(),
    )
    .addHelpText('after', ABOUT)
    .action(async (flags: TestFlags) => {
      const { runTest } = await import('./run.ts');
      await runTest(context, flags);
    });
}

/** More would not be done within the time: each tries each other. */
const MAX_NODES = 10;

function numberOfNodes(text: string): number {
  const value = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= MAX_NODES) return value;
  throw new UsageError(`--nodes: ${JSON.stringify(text)} is no number within 1..${MAX_NODES}`, 'give one such as 3');
}

function seconds(text: string): number {
  const value = /^[0-9]{1,3}s?$/.test(text) ? parseInt(text, 10) : 0;
  if (value >= MIN_SECONDS && value <= MAX_SECONDS) return value;
  const range = `${MIN_SECONDS}..${MAX_SECONDS}`;
  throw new UsageError(
    `--timeout: ${JSON.stringify(text)} is no number of seconds within ${range}`,
    'give one such as 60',
  );
}
