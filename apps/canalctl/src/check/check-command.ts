import { Command, Option } from 'commander';
import { collectValues } from '../collect-values.ts';
import type { CommandContext } from '../command-context.ts';
import type { CheckFlags } from './run.ts';

const ABOUT = `
Run it on the node, as root, before canal is installed there, or when something is not well: kernel (its version, rules, devices
and sockets that the agents use, tried out in a network namespace that goes with the command), the interface to the other
nodes and the MTU of pods, ports, switches of the kernel, other networks and what they have left, who drops packets of pods,
directories. A line tells what was looked at, what was found, and ok, warn or fail; beneath it stand cause and next step.
Nothing on the node is changed; the kernel may load modules that the agents would make it load.

Exit code 0 when nothing fails (warnings do not), 5 when something does, 6 without root.

  canalctl check
  canalctl check --iface eth1 --backend host-gw --pod-network 10.42.0.0/16 -o json
  kubectl debug node/NODE -it --image=IMAGE --profile=sysadmin -- canal canalctl check --root /host`;

/** `canalctl check`: whether this node is fit for canal. */
export function checkCommand(context: CommandContext): Command {
  return new Command('check')
    .description('Say whether this node is fit for canal: kernel, ports, MTU, switches, other networks, directories')
    .addOption(
      new Option('--backend <type>', 'how traffic between nodes will travel')
        .choices(['vxlan', 'host-gw'])
        .default('vxlan'),
    )
    .option('--iface <name>', 'the interface to the other nodes (default: that of the default route)')
    .addOption(
      new Option('--pod-network <cidr>', 'the network of pods; may be repeated (default: 10.244.0.0/16)').argParser(
        collectValues,
      ),
    )
    .option('--root <directory>', "where the node's / is mounted, in a container", '/')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .addHelpText('after', ABOUT)
    .action(async (flags: CheckFlags) => {
      const { runCheck } = await import('./run.ts');
      await runCheck(context, flags);
    });
}
