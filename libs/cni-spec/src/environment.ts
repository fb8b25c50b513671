/** What the runtime says through the environment: the verb and the container it is about. */
import { err, type InterfaceName, ok, parseInterfaceName, type Result } from 'net-types';
import { type CniArgs, parseCniArgs, unknownCniArgs } from './cni-args.ts';
import { CNI_ERROR, type CniFailure, failure } from './failure.ts';
import { show } from './json-fields.ts';
import { type ContainerId, parseContainerId } from './name.ts';

interface Container {
  readonly containerId: ContainerId;
  readonly containerInterface: InterfaceName;
}

/** One call of the plugin; each verb has exactly what the specification gives it. */
export type CniEnvironment =
  | (Container & { readonly command: 'ADD' | 'CHECK'; readonly netns: string; readonly args: CniArgs })
  /** `netns` is absent when the runtime knows that the namespace is gone. CNI_ARGS are not read: DEL must not fail. */
  | (Container & { readonly command: 'DEL'; readonly netns?: string })
  | { readonly command: 'GC' | 'STATUS' | 'VERSION' };

export type CniCommand = CniEnvironment['command'];

type Variables = Readonly<Record<string, string | undefined>>;

const REQUIRED: Readonly<Record<CniCommand, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
  VERSION: [],
};

/** Linux' PATH_MAX: what no path in a variable can exceed. */
const PATH_MAX = 4096;

/**
 * Interface names that would mean something else: `lo` is in each namespace, `all` and `default` are not devices but
 * directories of /proc/sys/net, and the kernel takes "%" for a pattern to number by.
 */
const RESERVED_INTERFACES = new Set(['lo', 'all', 'default']);

/** Code 4 for anything wrong, with the names of all variables that are; CNI_COMMAND is never absent here. */
export function parseEnvironment(variables: Variables): Result<CniEnvironment, CniFailure> {
  const command = variables['CNI_COMMAND'] ?? '';
  if (!isCommand(command)) {
    return invalid('CNI_COMMAND', `${show(command)} is none of ${Object.keys(REQUIRED).join(', ')}`);
  }
  const missing = REQUIRED[command].filter((name) => (variables[name] ?? '') === '');
  if (missing.length > 0) return invalid(missing.join(', '), `required for ${command}, but not set`);
  switch (command) {
    case 'GC':
    case 'STATUS':
    case 'VERSION':
      return ok({ command });
    case 'ADD':
    case 'CHECK':
      return parseAttached(command, variables);
    case 'DEL':
      return parseDetached(variables);
  }
}

function isCommand(text: string): text is CniCommand {
  return Object.hasOwn(REQUIRED, text);
}

function parseAttached(command: 'ADD' | 'CHECK', variables: Variables): Result<CniEnvironment, CniFailure> {
  const container = parseContainer(variables);
  if (!container.ok) return container;
  const netns = variables['CNI_NETNS'] ?? '';
  if (!isPath(netns)) return invalid('CNI_NETNS', `${show(netns)}: expected the absolute path of a network namespace`);
  const args = parseCniArgs(variables['CNI_ARGS'] ?? '');
  if (!args.ok) return invalid('CNI_ARGS', args.error);
  const unknown = unknownCniArgs(args.value);
  if (unknown.length > 0) return invalid('CNI_ARGS', `unknown keys ${show(unknown)}, and IgnoreUnknown is not set`);
  return ok({ command, ...container.value, netns, args: args.value });
}

function parseDetached(variables: Variables): Result<CniEnvironment, CniFailure> {
  const container = parseContainer(variables);
  if (!container.ok) return container;
  const netns = variables['CNI_NETNS'] ?? '';
  // A path that no namespace can have says as much as none: nothing is to be found in it.
  return ok({ command: 'DEL', ...container.value, ...(isPath(netns) && { netns }) });
}

function parseContainer(variables: Variables): Result<Container, CniFailure> {
  const containerId = parseContainerId(variables['CNI_CONTAINERID'] ?? '');
  if (!containerId.ok) {
    return invalid('CNI_CONTAINERID', `${show(containerId.error.input)}: expected ${containerId.error.expected}`);
  }
  const name = variables['CNI_IFNAME'] ?? '';
  const containerInterface = parseInterfaceName(name);
  if (!containerInterface.ok) {
    return invalid('CNI_IFNAME', `${show(name)}: expected ${containerInterface.error.expected}`);
  }
  if (RESERVED_INTERFACES.has(name) || name.includes('%')) {
    return invalid('CNI_IFNAME', `${show(name)}: expected a name other than lo, all and default, without "%"`);
  }
  return ok({ containerId: containerId.value, containerInterface: containerInterface.value });
}

function isPath(text: string): boolean {
  return text.startsWith('/') && text.length < PATH_MAX && !text.includes('\0');
}

function invalid(names: string, problem: string): { readonly ok: false; readonly error: CniFailure } {
  return err(failure(CNI_ERROR.invalidEnvironment, `invalid environment: ${names}: ${problem}`));
}
