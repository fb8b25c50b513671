import { UsageError } from '../report-error.ts';
import type { PolicyFlags } from './policy-flags.ts';

/** Of a command that has its answer from files. Throws UsageError. */
export function refuseSources({ socket, lab, node }: PolicyFlags & { readonly node?: string }): void {
  if (socket === undefined && lab === undefined && node === undefined) return;
  throw new UsageError('-f asks no agent', 'leave out --socket, --lab and --node, or leave out -f');
}
