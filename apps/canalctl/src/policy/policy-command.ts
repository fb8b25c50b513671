import { Argument, Command, Option } from 'commander';
import { onCluster } from '../cluster/cluster-flags.ts';
import { collectValues } from '../collect-values.ts';
import type { CommandContext } from '../command-context.ts';
import { listFormatOption } from '../output/list-format.ts';

import type { DiffFlags } from './diff.ts';
import type { EndpointsFlags } from './endpoints.ts';
import type { ExplainFlags } from './explain.ts';
import { ABOUT_POLICY_SOURCE, askingPolicy, tableOrJson } from './policy-flags.ts';
import type { PodsFlags } from './pods.ts';

const ABOUT = `
Both ends are judged, also pods of other nodes: egress at the source, ingress at the destination. A rule is shown as
policy[index]. Of a Service ask about one of its pods and the pod's port: policy is asked when the Service's address has
been replaced by a pod's. Without a cluster, -f takes pods, namespaces, policies and nodes from files, for instance of
"kubectl get pods,namespaces,networkpolicies,nodes -A -o json"; other kinds are passed over.

The exit code is 0 when the question could be answered, whatever the answer; with --exit-code it is 1 for a flow that
is denied, and another one when there was no answer.

  canalctl policy explain shop/api shop/db --port 5432
  canalctl policy explain 203.0.113.7 shop/web --port http
  canalctl policy explain api db -n shop --port 5432 -f objects.yaml --exit-code`;

/** `canalctl policy …`: what NetworkPolicies say, as the agents that enforce them tell it. */
export function policyCommand(context: CommandContext): Command {
  const policy = new Command('policy')
    .description('Ask what NetworkPolicies allow, and of whom')
    .addHelpText('after', ABOUT_POLICY_SOURCE);
  policy.addCommand(explainCommand(context));
  policy.addCommand(diffCommand(context));
  policy.addCommand(endpointsCommand(context));
  policy.addCommand(podsCommand(context));
  return policy;
}

function explainCommand(context: CommandContext): Command {
  const end = 'pod (name, or namespace/name), or address';
  return askingPolicy(new Command('explain').description('say why a flow passes or does not'))
    .addArgument(new Argument('<source>', end))
    .addArgument(new Argument('<destination>', end))
    .addOption(tableOrJson())
    .option('--protocol <protocol>', 'TCP, UDP, SCTP, ICMP or a number', 'TCP')
    .option('--port <port>', 'number, or name of a port of the destination pod')
    .option('-n, --namespace <namespace>', 'of pods that are given by name alone', 'default')
    .option<readonly string[]>(
      '-f, --filename <file>',
      'ask files instead of a cluster: a file, a directory, or - for standard input; may be repeated',
      collectValues,
    )
    .option('--exit-code', 'exit with 1 when the flow is denied')
    .addHelpText('after', ABOUT)
    .action(async (source: string, destination: string, flags: ExplainFlags) => {
      const { runExplain } = await import('./explain.ts');
      await runExplain(context, source, destination, flags);
    });
}

const ABOUT_DIFF = `
Says which flows would open or close if the objects of -f were applied: as "kubectl apply" would change what is there, with
--prune also without the policies that -f does not hold. What is there is the cluster's, read through the Kubernetes API
with a kubeconfig, or, without a cluster, what --before names: pods, namespaces, policies and nodes, for instance of
"kubectl get pods,namespaces,networkpolicies,nodes -A -o json". Other kinds are passed over. Flows are told by workload;
of a Deployment that nobody runs nothing is known.

The exit code is that of diff: 0 when no flow opens or closes, 1 when one does, and another one when there was no answer (2
for a file that cannot be read, 5 for what else fails).

  canalctl policy diff -f new-policy.yaml
  canalctl policy diff --before cluster.json -f policies/ --prune -o json`;

function diffCommand(context: CommandContext): Command {
  return onCluster(new Command('diff').description('say which flows open and close if objects are applied'))
    .addOption(
      new Option('-f, --filename <file>', 'what is applied; a directory, or - for standard input; may be repeated')
        .argParser(collectValues)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--before <file>', 'ask no cluster: what there is, in files as above; may be repeated').argParser(
        collectValues,
      ),
    )
    .option('-n, --namespace <namespace>', 'of objects in files that name none', 'default')
    .option('--prune', 'policies that -f does not hold are deleted')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .addHelpText('after', ABOUT_DIFF)
    .action(async (flags: DiffFlags) => {
      const { runDiff } = await import('./diff.ts');
      await runDiff(context, flags);
    });
}

function endpointsCommand(context: CommandContext): Command {
  return askingPolicy(
    new Command('endpoints').description(
      'show policed pod interfaces and the policies that isolate each; exit code 5 when one is closed for another reason',
    ),
  )
    .option('--node <name>', 'of this node alone')
    .option('-n, --namespace <namespace>', 'of pods of this namespace alone')
    .addOption(listFormatOption())
    .action(async (flags: EndpointsFlags) => {
      const { runEndpoints } = await import('./endpoints.ts');
      await runEndpoints(context, flags);
    });
}

const ABOUT_PODS = `
With -f nobody is asked, and the files' pods are taken.

  canalctl policy pods shop/default-deny --lab lab
  canalctl policy pods default-deny -n shop -f cluster.json -o wide`;

function podsCommand(context: CommandContext): Command {
  return askingPolicy(new Command('pods').description('show the pods that a policy isolates'))
    .addArgument(new Argument('<policy>', 'name, or namespace/name'))
    .option('-n, --namespace <namespace>', 'of a policy that is given by name alone', 'default')
    .option('--node <name>', 'pods of this node alone')
    .addOption(
      new Option(
        '-f, --filename <file>',
        'ask files instead of a cluster: a file, a directory, or - for standard input; may be repeated',
      ).argParser(collectValues),
    )
    .addOption(listFormatOption())
    .addHelpText('after', ABOUT_PODS)
    .action(async (policy: string, flags: PodsFlags) => {
      const { runPods } = await import('./pods.ts');
      await runPods(context, policy, flags);
    });
}
