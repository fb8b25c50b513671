/** The programs of the binary, by the names they answer to: as a subcommand and as argv[0] of a link. */
const NAMES: ReadonlyMap<string, ProgramName> = new Map([
  ['cni', 'cni'],
  ['canal-cni', 'cni'],
  // Runtimes call this plugin by its file's name; the installer puts it where a host has none.
  ['loopback', 'loopback'],
  ['flanneld', 'flanneld'],
  ['policy-agent', 'policy-agent'],
  ['admin-api', 'admin-api'],
  ['canalctl', 'canalctl'],
  // kubectl finds its plugins by this name: `kubectl canal …`.
  ['kubectl-canal', 'canalctl'],
  ['node-setup', 'node-setup'],
]);

export type ProgramName = 'cni' | 'loopback' | 'flanneld' | 'policy-agent' | 'admin-api' | 'canalctl' | 'node-setup';

export type Choice =
  | { readonly type: 'program'; readonly name: ProgramName; readonly args: readonly string[] }
  | { readonly type: 'help' }
  | { readonly type: 'version' }
  | { readonly type: 'unknown'; readonly word: string };

/** What decides which program runs; nothing else of the process does. */
export interface Invocation {
  /** argv[0] as the caller gave it, path and all. */
  readonly argv0: string;
  readonly args: readonly string[];
  /** CNI_COMMAND, which every CNI runtime sets and nobody else. */
  readonly cniCommand: string | undefined;
}

/**
 * Chooses by argv[0], then by the first argument, then by CNI_COMMAND. CNI_COMMAND comes last because it is inherited:
 * a command that names its program must get it, also in a shell in which somebody tries out the plugin.
 */
export function chooseProgram({ argv0, args, cniCommand }: Invocation): Choice {
  const linked = NAMES.get(argv0.slice(argv0.lastIndexOf('/') + 1));
  if (linked !== undefined) return { type: 'program', name: linked, args };
  const [word, ...rest] = args;
  if (word === undefined) {
    return cniCommand === undefined || cniCommand === '' ? { type: 'help' } : { type: 'program', name: 'cni', args };
  }
  const named = NAMES.get(word);
  if (named !== undefined) return { type: 'program', name: named, args: rest };
  if (word === '--help' || word === '-h' || word === 'help') return { type: 'help' };
  if (word === '--version' || word === '-v' || word === 'version') return { type: 'version' };
  return { type: 'unknown', word };
}
