import { Command, Option } from 'commander';
import { ABOUT_ADMIN_API, askingAdminApi } from '../admin/admin-flags.ts';
import type { CommandContext } from '../command-context.ts';
import { listFormatOption } from '../output/list-format.ts';
import type { CheckFlags } from './check.ts';
import type { ReleaseFlags } from './release.ts';
import type { ShowFlags } from './show.ts';

/** `canalctl ipam …`: addresses of pods. */
export function ipamCommand(context: CommandContext): Command {
  const ipam = new Command('ipam')
    .description('Look at the addresses of pods, and release what leaked')
    .addHelpText('after', ABOUT_ADMIN_API);
  ipam.addCommand(showCommand(context));
  ipam.addCommand(checkCommand(context));
  ipam.addCommand(releaseCommand(context));
  return ipam;
}

const ABOUT_SHOW = `
A line a subnet of a node. With --addresses a line an address: who has it.

  canalctl ipam show
  canalctl ipam show --node worker-1 --addresses -o custom-columns=IP:.address,POD:.pod.name`;

function showCommand(context: CommandContext): Command {
  return askingAdminApi(
    new Command('show').description('show how many addresses each node has, and how many are in use'),
  )
    .option('--node <name>', 'of this node alone')
    .option('--addresses', 'each address, and whose it is')
    .addOption(listFormatOption())
    .addHelpText('after', ABOUT_SHOW)
    .action(async (flags: ShowFlags) => {
      const { runShow } = await import('./show.ts');
      await runShow(context, flags);
    });
}

const ABOUT_CHECK = `
Leaks: addresses that pods hold which are gone. Duplicates: addresses that two have. Addresses that are not of the subnet of their
node. Subnets of two nodes that overlap. Nodes that could not be asked are named.

Exit code 0 when nothing is wrong, 5 when something is, or when a node could not be asked.

  canalctl ipam check
  canalctl ipam check --lab lab -o json`;

function checkCommand(context: CommandContext): Command {
  return askingAdminApi(
    new Command('check').description('look for addresses that leaked, that two have, or that are not of their node'),
  )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .addHelpText('after', ABOUT_CHECK)
    .action(async (flags: CheckFlags) => {
      const { runCheck } = await import('./check.ts');
      await runCheck(context, flags);
    });
}

const ABOUT_RELEASE = `
The node gives the address back, and the others of the same sandbox, when it finds under its lock that the sandbox is gone for
sure; an address that a pod has, or that an ADD may be at work on, stays. Leaked ones that are left alone are given back by
themselves after some minutes: this does not wait for that.

Exit code 1 when the address stays, 3 when nobody holds it.

  canalctl ipam release 10.244.1.7 --dry-run
  canalctl ipam release 10.244.1.7 --lab lab`;

function releaseCommand(context: CommandContext): Command {
  return askingAdminApi(
    new Command('release').description('give an address back that a pod holds which is gone').argument('<address>'),
    'operate',
  )
    .option('--node <name>', 'on this node: needed where two hold the address')
    .option('--container <id>', 'only if this container holds it')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .addHelpText('after', ABOUT_RELEASE)
    .action(async (address: string, flags: ReleaseFlags) => {
      const { runRelease } = await import('./release.ts');
      await runRelease(context, address, flags);
    });
}
