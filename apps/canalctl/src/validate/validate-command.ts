import { Command, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { collectValues } from '../collect-values.ts';
import type { ValidateFlags } from './run.ts';

const ABOUT = `
Looks at what the agents would read: NetworkPolicies, and net-conf.json and cni-conf.json of a ConfigMap or of a file of
their own. It is held to what they accept; fields that a policy does not have are told, too. No cluster is asked. One line is
printed for each finding, with file and line, the field, its value, what is expected, and what follows: what cannot be
read of a policy isolates. Other kinds are passed over.

Exit code 0 when there is no error (warnings are none), 5 when there is one, 2 for a file that cannot be read.

  canalctl validate -f policies/ -f deploy/canal.yaml
  kustomize build . | canalctl validate -f - -o json`;

/** `canalctl validate`: files, before they are applied. */
export function validateCommand(context: CommandContext): Command {
  return new Command('validate')
    .description('Say what is wrong in files with policies or configuration, before they are applied')
    .addOption(
      new Option('-f, --filename <file>', 'a file, a directory, or - for standard input; may be repeated')
        .argParser(collectValues)
        .makeOptionMandatory(),
    )
    .option('-n, --namespace <namespace>', 'of objects that name none', 'default')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json', 'yaml']).default('text'))
    .addHelpText('after', ABOUT)
    .action(async (flags: ValidateFlags) => {
      const { runValidate } = await import('./run.ts');
      await runValidate(context, flags);
    });
}
