import { Command, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { askingAgents, countOf, tableOrJson } from './agent-flags.ts';
import type { FlowsFlags } from './flows.ts';

const ABOUT = `
Denied packets are recorded at a limited rate, new allowed flows as the agent's --allow-sample says (by default none).
RULE is the rule that allowed, as policy[index], or the policies by which the pod is isolated. "canalctl policy explain"
says of one flow why. --output json prints one record a line.`;

/** `canalctl flows`: verdicts as packets got them. */
export function flowsCommand(context: CommandContext): Command {
  return askingAgents(new Command('flows').description('Show verdicts on packets to and from pods'))
    .addOption(tableOrJson())
    .option('--follow', 'go on with those to come, until interrupted')
    .option('--denied', 'only what was denied')
    .addOption(new Option('--last <n>', 'begin with so many of the newest').default(20).argParser(countOf))
    .addHelpText('after', ABOUT)
    .action(async (flags: FlowsFlags) => {
      const { runFlows } = await import('./flows.ts');
      await runFlows(context, flags);
    });
}
