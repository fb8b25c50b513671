/**
 * The one binary that ships. It loads the program asked for and nothing else: this file is in front of every start of
 * the CNI plugin, so it imports no package and no other module than the table of names.
 */
import { writeSync } from 'node:fs';
import { chooseProgram, type ProgramName } from './choose-program.ts';

/** Set by the build; a run from source has no version. */
declare const CANAL_VERSION: string | undefined;

const EXIT_OK = 0;
const EXIT_USAGE = 2;
/** sysexits(3): an internal error. */
const EXIT_SOFTWARE = 70;
const [STDOUT, STDERR] = [1, 2];

const HELP = `canal: a Kubernetes CNI, all programs in one file

  canal flanneld …      the node agent
  canal policy-agent …  the policy agent: NetworkPolicy for the pods of its node
  canal admin-api …     the admin API: what operators see and change, over TLS
  canal cni             the CNI plugin; also chosen when CNI_COMMAND is set and no argument is given
  canal loopback        the CNI plugin "loopback", for hosts that have none
  canal node-setup …    puts the plugins on a node, takes everything of canal off it
  canal canalctl …      the command line; "canal canalctl lab up" builds a cluster on this machine

A link named after a program runs it. Each program takes --help.
`;

/** What ends before optimised code would pay for its compilation. */
const PLUGINS: ReadonlySet<ProgramName> = new Set(['cni', 'loopback']);

/** The only places that load programs; `--splitting` makes a chunk of each. */
async function load(name: ProgramName): Promise<(args: readonly string[]) => Promise<number>> {
  switch (name) {
    case 'cni':
      return (await import('@canal/cni')).main;
    case 'loopback':
      return (await import('@canal/cni/loopback')).main;
    case 'flanneld':
      return (await import('@canal/flanneld')).main;
    case 'policy-agent':
      return (await import('@canal/policy-agent')).main;
    case 'admin-api':
      return (await import('@canal/admin-api')).main;
    case 'canalctl':
      return (await import('@canal/canalctl')).main;
    case 'node-setup':
      return (await import('@canal/node-setup')).main;
  }
}

async function run(): Promise<number> {
  const choice = chooseProgram({
    // Not argv[0]: a compiled Bun program finds "bun" there.
    argv0: process.argv0,
    args: process.argv.slice(2),
    cniCommand: process.env['CNI_COMMAND'],
  });
  switch (choice.type) {
    case 'program': {
      // The build has put compilation off for the plugins' sake; what runs for longer wants it.
      if (!PLUGINS.has(choice.name)) Bun.unsafe.setJITPolicy(1);
      const main = await load(choice.name);
      return main(choice.args);
    }
    case 'help':
      // On stderr: a CNI runtime that starts us without CNI_COMMAND must find nothing on stdout.
      writeSync(STDERR, HELP);
      return EXIT_OK;
    case 'version':
      writeSync(STDOUT, `${typeof CANAL_VERSION === 'string' ? CANAL_VERSION : 'from source'}\n`);
      return EXIT_OK;
    case 'unknown':
      writeSync(
        STDERR,
        `canal: ${JSON.stringify(choice.word)} is no program of this file; "canal --help" lists them\n`,
      );
      return EXIT_USAGE;
  }
}

/** What no program has caught. The runtime would print a page of minified source around it. */
function reportCrash(error: unknown): number {
  const lines: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < MAX_CAUSES; depth++) {
    lines.push(`${depth === 0 ? 'canal: ' : '  caused by: '}${describe(at)}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  writeSync(STDERR, `${lines.join('\n')}\n`);
  return EXIT_SOFTWARE;
}

/** A chain may go in a circle. */
const MAX_CAUSES = 8;

function describe(error: unknown): string {
  // The stack begins with name and message.
  return error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
}

process.exit(await run().catch(reportCrash));
