import { DEFAULT_POLICY_SOCKET } from '@canal/agent-protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PolicyFlags } from './policy-flags.ts';
import { localAgent } from './local-agent.ts';

const KUBECONFIG = '/the/kubeconfig';
beforeEach(() => vi.stubEnv('KUBECONFIG', KUBECONFIG));
afterEach(() => vi.unstubAllEnvs());

type Flags = Partial<PolicyFlags> & { readonly node?: string };

function chosen(
  flags: Flags,
  ...there: readonly string[]
): { readonly socket: string | undefined; readonly told: string } {
  let told = '';
  const terminal = { live: false, out: () => undefined, err: (text: string) => void (told += text) };
  const context = { terminal, signal: new AbortController().signal, outcome: { exitCode: 0 } };
  const socket = localAgent(context, { stateRoot: '', ...flags }, (path) => there.includes(path));
  return { socket, told };
}

test('the agent of this node where there is no kubeconfig, and it says so', () => {
  expect(chosen({}, DEFAULT_POLICY_SOCKET)).toEqual({
    socket: DEFAULT_POLICY_SOCKET,
    told: `note: there is no kubeconfig: asking the agent of this node alone, at ${DEFAULT_POLICY_SOCKET}\n`,
  });
});

test.each<[string, Flags, readonly string[]]>([
  ['there is neither', {}, []],
  ['there is a kubeconfig', {}, [KUBECONFIG, DEFAULT_POLICY_SOCKET]],
  ['one is named', { kubeconfig: '/x' }, [DEFAULT_POLICY_SOCKET]],
  ['a context is named', { context: 'x' }, [DEFAULT_POLICY_SOCKET]],
  ['a lab is named', { lab: 'x' }, [DEFAULT_POLICY_SOCKET]],
  ['an admin API is named', { adminServer: 'https://x' }, [DEFAULT_POLICY_SOCKET]],
  ['a node is named', { node: 'n1' }, [DEFAULT_POLICY_SOCKET]],
])('the admin API when %s', (_name, flags, there) => {
  expect(chosen(flags, ...there)).toEqual({ socket: undefined, told: '' });
});

test('the socket that is named', () => {
  expect(chosen({ socket: '/s' }, KUBECONFIG)).toEqual({ socket: '/s', told: '' });
  expect(() => chosen({ socket: '/s', node: 'n1' })).toThrow('--socket and --node exclude each other');
});
