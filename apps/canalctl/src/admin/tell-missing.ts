import type { MissingPart } from '@canal/admin-client';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { printableLine } from '../printable.ts';

/** A list that looks complete must be: what is missing of it is named, and the exit code says so. */
export function tellMissing({ terminal, outcome }: CommandContext, missing: readonly MissingPart[]): void {
  for (const { node, reason } of missing) {
    terminal.err(`${printableLine(`${node} is missing: ${reason}`)}\n`);
    terminal.err(`  ${printableLine(`"canalctl node status ${node}" says more`)}\n`);
  }
  if (missing.length > 0) outcome.exitCode = EXIT.unhealthy;
}
