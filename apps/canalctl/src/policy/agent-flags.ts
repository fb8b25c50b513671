import { type Command, InvalidArgumentError, Option } from 'commander';

/** The options by which a command finds the policy agents that it asks. */
export function askingAgents(command: Command): Command {
  return command
    .addOption(new Option('--socket <path>', "the agent's socket (default: /run/canal/policy.sock, this node's)"))
    .addOption(new Option('--lab <lab>', 'ask the agents of a lab on this machine'))
    .addOption(new Option('--node <node>', 'with --lab: the agent of this node alone'))
    .addOption(
      new Option('--state-root <directory>', 'where labs keep their files')
        .default('/run/canal-lab')
        .env('CANAL_LAB_STATE_ROOT')
        .hideHelp(),
    );
}

/** Of commands that print one answer. */
export function tableOrJson(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table');
}

export function countOf(text: string): number {
  if (!/^[0-9]{1,7}$/.test(text)) throw new InvalidArgumentError('give a whole number such as 20.');
  return Number(text);
}
