import { formatIp } from 'net-types';
import { describe, expect, test } from 'vitest';
import { parsePolicyAgentCommand, type PolicyAgentConfig } from './index.ts';

const NODE = { NODE_NAME: 'node-1' };

function configOf(argv: readonly string[], environment: Readonly<Record<string, string>> = NODE): PolicyAgentConfig {
  const command = parsePolicyAgentCommand(argv, environment);
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command.config;
}

function problemsOf(argv: readonly string[], environment: Readonly<Record<string, string>> = NODE): readonly string[] {
  const command = parsePolicyAgentCommand(argv, environment);
  return command.type === 'invalid' ? command.problems : [];
}

describe('policy-agent flags', () => {
  test('the defaults', () => {
    const { health, ...rest } = configOf([]);
    expect(rest).toEqual({
      node: { type: 'name', name: 'node-1' },
      annotationPrefix: 'flannel.alpha.coreos.com',
      netConfPath: '/etc/kube-flannel/net-conf.json',
      socket: '/run/canal/policy.sock',
      cniStateDir: '/var/lib/canal',
      strict: true,
      tunnelPorts: [8472, 8285],
      allowSample: 0,
      flowRecords: 10_000,
      resyncSeconds: 30,
      logLevel: 'info',
    });
    expect(health && [formatIp(health.ip), health.port]).toEqual(['127.0.0.1', 9097]);
  });

  test('flags win over variables', () => {
    const environment = { ...NODE, CANAL_POLICY_STRICT: 'true', CANAL_POLICY_TUNNEL_PORTS: '4789' };
    expect(configOf(['--strict=false', '--healthz-port=0'], environment)).toMatchObject({
      strict: false,
      tunnelPorts: [4789],
    });
  });

  test('no tunnel port at all', () => {
    expect(configOf(['--tunnel-ports=']).tunnelPorts).toEqual([]);
  });

  test.each([
    { argv: ['--tunnel-ports=8472,nine'], names: ['--tunnel-ports', '"8472,nine"', '8472,8285'] },
    { argv: ['--socket=policy.sock'], names: ['--socket', 'absolute path'] },
    // Its directory is closed to all but root.
    { argv: ['--socket=/run/policy.sock'], names: ['--socket', 'a directory of its own'] },
    { argv: ['--socket=/var/run/policy.sock'], names: ['a directory of its own'] },
    { argv: ['--socket=/run//policy.sock'], names: ['a directory of its own'] },
    { argv: ['--socket=/run/canal/../policy.sock'], names: ['a directory of its own'] },
    { argv: ['--socket=/policy.sock'], names: ['--socket', 'with a directory'] },
    { argv: [`--socket=/run/${'x'.repeat(110)}`], names: ['107 bytes'] },
    { argv: ['--cni-state-dir=state'], names: ['--cni-state-dir', '"state"', 'an absolute path'] },
    { argv: ['--cni-state-dir=/var/../etc'], names: ['--cni-state-dir', 'without "." and ".."'] },
    { argv: ['--strikt'], names: ['did you mean --strict?'] },
  ])('$argv is refused', ({ argv, names }) => {
    const [problem = ''] = problemsOf(argv);
    for (const name of names) expect(problem).toContain(name);
  });

  test('a node without a name', () => {
    expect(problemsOf([], {})).toHaveLength(1);
  });

  test('help lists each flag with its variable', () => {
    const command = parsePolicyAgentCommand(['--help'], {});
    expect(command.type === 'help' && command.text).toContain('CANAL_POLICY_TUNNEL_PORTS');
  });
});
