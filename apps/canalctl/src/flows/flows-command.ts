import { Command, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { ABOUT_POLICY_SOURCE, askingPolicy, countOf, tableOrJson } from '../policy/policy-flags.ts';
import type { FlowsFlags } from './run.ts';

const ABOUT = `
Denied packets are recorded at a limited rate, new allowed flows as the agent's --allow-sample says (by default none).
RULE is the rule that allowed, as policy[index], or the policies by which the pod is isolated. "canalctl policy explain"
says of one flow why. --output json prints one record a line.

--follow goes on until it is interrupted. A connection that breaks is made again, and what fell meanwhile is shown; where some may
be missing a line "resync" on standard error says so.
${ABOUT_POLICY_SOURCE}

  canalctl flows --denied --follow
  canalctl flows --live --namespace shop
  canalctl flows --pod shop/db --port 5432 --last 100 -o json`;

/** `canalctl flows`: verdicts as packets got them. */
export function flowsCommand(context: CommandContext): Command {
  return askingPolicy(new Command('flows').description('Show verdicts on packets to and from pods'))
    .addOption(tableOrJson())
    .option('-f, --follow', 'go on with those to come, until interrupted')
    .addOption(
      new Option('--live', 'a table that is drawn over: flows that are alike in one line, the newest on top').conflicts(
        ['follow', 'output'],
      ),
    )
    .option('--denied', 'only what was denied: --verdict deny')
    .addOption(
      new Option('--verdict <verdict>', 'only what was allowed, or denied')
        .choices(['allow', 'deny'])
        .conflicts('denied'),
    )
    .option('--node <name>', 'only what this node judged')
    .option('-n, --namespace <namespace>', 'only of pods of this namespace, at either end')
    .option('--pod <pod>', 'only of this pod at either end: name, or namespace/name')
    .addOption(new Option('--port <number>', 'only to this port').argParser(countOf))
    .option('--protocol <protocol>', 'only of this protocol: TCP, UDP, SCTP, ICMP, ICMPv6 or a number')
    .addOption(new Option('--last <n>', 'begin with so many of the newest').default(20).argParser(countOf))
    .addHelpText('after', ABOUT)
    .action(async (flags: FlowsFlags) => {
      const { runFlows } = await import('./run.ts');
      await runFlows(context, flags);
    });
}
