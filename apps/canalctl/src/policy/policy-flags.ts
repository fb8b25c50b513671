import { type Command, InvalidArgumentError, Option } from 'commander';
import { type AdminFlags, askingAdminApi } from '../admin/admin-flags.ts';

/** Whom a command on policy asks: the admin API, or the policy agent of this machine. */
export interface PolicyFlags extends AdminFlags {
  readonly socket?: string;
}

export const ABOUT_POLICY_SOURCE = `
The admin API is asked, as "canalctl status --help" says. With --socket it is the policy agent of this machine alone, without any API;
so also where there is no kubeconfig and the agent's socket is in its place, as in the agent's own container.`;

export function askingPolicy(command: Command): Command {
  return askingAdminApi(command).addOption(
    new Option(
      '--socket <path>',
      'ask the policy agent of this machine, as root: its socket is /run/canal/policy.sock',
    ),
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
