import { Argument, Command, Option } from 'commander';
import { collectValues } from '../collect-values.ts';
import type { CommandContext } from '../command-context.ts';
import { ABOUT_WRITES, onObjects, validating } from './objects-flags.ts';
import type { ApplyFlags } from './run-apply.ts';
import type { DeleteFlags } from './run-delete.ts';
import type { PatchFlags } from './run-patch.ts';

const files = (about: string): Option =>
  new Option('-f, --filename <file>', `${about}; a directory, or - for standard input; may be repeated`).argParser(
    collectValues,
  );

const ABOUT_APPLY = `
What is wrong in NetworkPolicies and in the network's configuration is told first, as "canalctl validate" does; then the API server is
asked of each object whether it would take it; only then is the first one changed. "canalctl policy diff" says before what flows
would open and close.

Without --server-side it is as "kubectl apply": the two may take turns. With it the API server merges, and refuses to change fields
that others manage; --force-conflicts takes them over.
${ABOUT_WRITES}

  canalctl apply -f policies/ --dry-run
  canalctl apply -f allow-db.yaml -n shop
  canalctl apply -f allow-db.yaml --server-side --force-conflicts`;

/** `canalctl apply`: objects as files have them. */
export function applyCommand(context: CommandContext): Command {
  return validating(onObjects(new Command('apply').description('Create or change objects as files have them')))
    .addOption(files('YAML or JSON, several documents allowed').makeOptionMandatory())
    .option('--server-side', 'the API server merges, and knows who manages which field')
    .option('--force-conflicts', 'with --server-side: take over fields that others manage')
    .addHelpText('after', ABOUT_APPLY)
    .action(async (flags: ApplyFlags) => {
      const { runApply } = await import('./run-apply.ts');
      await runApply(context, flags);
    });
}

const ABOUT_DELETE = `
${ABOUT_WRITES.trimStart()}

  canalctl delete networkpolicy db -n shop
  canalctl delete -f old-policies.yaml --ignore-not-found --dry-run`;

/** `canalctl delete`: objects by name, or those of files. */
export function deleteCommand(context: CommandContext): Command {
  return onObjects(new Command('delete').description('Delete objects by their names, or those of files'))
    .addArgument(new Argument('[kind]', 'networkpolicy, pod, …'))
    .addArgument(new Argument('[names...]', 'their names'))
    .addOption(files('those that this file holds'))
    .option('--ignore-not-found', 'what is not there is no failure')
    .addHelpText('after', ABOUT_DELETE)
    .action(async (kind: string | undefined, names: readonly string[], flags: DeleteFlags) => {
      const { runDelete } = await import('./run-delete.ts');
      await runDelete(context, kind, names, flags);
    });
}

const ABOUT_PATCH = `
--type strategic merges lists as Kubernetes knows them (its own kinds alone), merge is RFC 7386, json RFC 6902.
${ABOUT_WRITES}

  canalctl patch pod web-0 -n shop -p '{"metadata":{"labels":{"tier":"front"}}}'
  canalctl patch networkpolicy db -n shop --type json -p '[{"op":"remove","path":"/spec/ingress/0"}]' --dry-run`;

/** `canalctl patch`: some fields of one object. */
export function patchCommand(context: CommandContext): Command {
  return validating(onObjects(new Command('patch').description('Change some fields of an object')))
    .addArgument(new Argument('<kind>', 'networkpolicy, pod, …'))
    .addArgument(new Argument('<name>', 'its name'))
    .addOption(new Option('-p, --patch <patch>', 'what changes, as JSON or YAML').conflicts('patchFile'))
    .option('--patch-file <file>', 'what changes, from a file; - is standard input')
    .addOption(
      new Option('--type <type>', 'how it is meant').choices(['strategic', 'merge', 'json']).default('strategic'),
    )
    .addHelpText('after', ABOUT_PATCH)
    .action(async (kind: string, name: string, flags: PatchFlags) => {
      const { runPatch } = await import('./run-patch.ts');
      await runPatch(context, kind, name, flags);
    });
}
