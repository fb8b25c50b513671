/** The command line of `node-setup`. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { InstallOptions } from './install.ts';
import { SetupError } from './setup-error.ts';
import type { UninstallOptions } from './uninstall/options.ts';

export type SetupCommand =
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'install'; readonly options: InstallOptions }
  | { readonly type: 'uninstall'; readonly options: UninstallOptions }
  | { readonly type: 'self-test' }
  | { readonly type: 'exec-in-root'; readonly args: readonly string[] };

export const HELP = `canal node-setup: what is done once on a node

  canal node-setup install     puts the CNI plugin into the runtime's directory, after a test on the host
  canal node-setup uninstall   takes everything of canal off this node and says what

Both:
  --host-root DIR   where the host's / is mounted (default /)
  --bin-dir DIR     directory of CNI plugins (default /opt/cni/bin); with or without the host root in front
  --state-dir DIR   canal's own directory (default /var/lib/canal)

install:
  --no-loopback     never install the loopback plugin (default: when the host has none)
  --conf-dir DIR    the runtime's directory of configurations, if it is to be looked at: the agent mounts and fills it

uninstall:
  --dry-run         say what would be removed, and remove nothing
  --force           also while pods of this node have their network from canal: they lose it
  --output FORMAT   text or json (one line)
  --conf-dir DIR    the runtime's directory of configurations (default /etc/cni/net.d)
  --conf-name NAME  name of canal's configuration there (default 10-canal.conflist)
  --subnet-file F   (default /run/flannel/subnet.env)
  --data-dir DIR    addresses given to pods (default /var/lib/cni/networks)
  --cache-dir DIR   the runtime's CNI cache (default /var/lib/cni)

Exit codes:
  0  done; with --dry-run: nothing is in the way       2  wrong command line
  1  something failed; what could be done is done      3  pods have their network from canal (--force), or the agent runs
`;

const COMMON = {
  'host-root': { type: 'string', default: '/' },
  'bin-dir': { type: 'string', default: '/opt/cni/bin' },
  'state-dir': { type: 'string', default: '/var/lib/canal' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

/** Throws SetupError `usage`. */
export function parseSetupCommand(argv: readonly string[]): SetupCommand {
  const [command, ...args] = argv;
  if (args.includes('--help') || args.includes('-h')) return { type: 'help', text: HELP };
  switch (command) {
    case 'install':
      return { type: 'install', options: parseInstall(args) };
    case 'uninstall':
      return { type: 'uninstall', options: parseUninstall(args) };
    case 'self-test':
      return { type: 'self-test' };
    case 'exec-in-root':
      return { type: 'exec-in-root', args };
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      return { type: 'help', text: HELP };
    default:
      throw usage(`${JSON.stringify(command)} is no command: expected install or uninstall`);
  }
}

function parseInstall(args: readonly string[]): InstallOptions {
  const values = parse(args, {
    ...COMMON,
    'no-loopback': { type: 'boolean', default: false },
    'conf-dir': { type: 'string' },
  });
  const confDir = values['conf-dir'];
  if (confDir !== undefined && !isPlainDirectory(confDir)) {
    throw new SetupError(
      'usage',
      `--conf-dir: ${JSON.stringify(confDir)}: expected an absolute path below /, without "." or ".." and no slash at its end, such as /etc/cni/net.d`,
      "Correct cni-conf-dir in the ConfigMap canal-config: it is mounted into the agent, which must not get the host's /",
    );
  }
  return { ...places(values), loopback: !values['no-loopback'] };
}

/** At most what the mount of it in deploy/kustomize/node-agent.yaml takes. */
function isPlainDirectory(path: string): boolean {
  const [first, ...names] = path.split('/');
  return first === '' && names.length > 0 && names.every((name) => !['', '.', '..'].includes(name));
}

function parseUninstall(args: readonly string[]): UninstallOptions {
  const values = parse(args, {
    ...COMMON,
    'dry-run': { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    output: { type: 'string', default: 'text' },
    'conf-dir': { type: 'string', default: '/etc/cni/net.d' },
    'conf-name': { type: 'string', default: '10-canal.conflist' },
    'subnet-file': { type: 'string', default: '/run/flannel/subnet.env' },
    'data-dir': { type: 'string', default: '/var/lib/cni/networks' },
    'cache-dir': { type: 'string', default: '/var/lib/cni' },
  });
  const { output } = values;
  if (output !== 'text' && output !== 'json') throw usage(`--output: ${JSON.stringify(output)}: expected text or json`);
  const { hostRoot } = places(values);
  return {
    ...places(values),
    dryRun: values['dry-run'],
    force: values.force,
    output,
    confDir: onHost(hostRoot, 'conf-dir', values['conf-dir']),
    confName: values['conf-name'],
    subnetFile: onHost(hostRoot, 'subnet-file', values['subnet-file']),
    dataDir: onHost(hostRoot, 'data-dir', values['data-dir']),
    cacheDir: onHost(hostRoot, 'cache-dir', values['cache-dir']),
  };
}

function places(values: { 'host-root': string; 'bin-dir': string; 'state-dir': string }): {
  readonly hostRoot: string;
  readonly binDir: string;
  readonly stateDir: string;
} {
  const hostRoot = absolute('host-root', values['host-root']);
  const binDir = onHost(hostRoot, 'bin-dir', values['bin-dir']);
  if (/^\/*$/.test(binDir)) {
    throw new SetupError(
      'usage',
      '--bin-dir: "/": expected a directory below / such as /opt/cni/bin',
      'Correct cni-bin-dir in the ConfigMap canal-config, or the flag',
    );
  }
  return {
    hostRoot,
    binDir,
    stateDir: onHost(hostRoot, 'state-dir', values['state-dir']),
  };
}

/** A path as the host says it, whether it was given so or with the mount in front. */
function onHost(hostRoot: string, flag: string, value: string): string {
  const path = absolute(flag, value);
  return hostRoot !== '/' && path.startsWith(`${hostRoot}/`) ? path.slice(hostRoot.length) : path;
}

function absolute(flag: string, value: string): string {
  if (!value.startsWith('/') || value.includes('\0')) {
    throw usage(`--${flag}: ${JSON.stringify(value)}: expected an absolute path`);
  }
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
}

function parse<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values'] {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function usage(message: string): SetupError {
  return new SetupError('usage', message, 'canal node-setup --help lists the flags');
}
