import { describe, expect, test } from 'vitest';
import { parseAdminApiCommand } from './options.ts';

function run(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const command = parseAdminApiCommand(argv, environment);
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command;
}

describe('options', () => {
  test('by default: Kubernetes says who may, a certificate is made, agents are asked over TLS', () => {
    expect(run([]).options).toEqual({
      annotationPrefix: 'flannel.alpha.coreos.com',
      host: '::',
      port: 9443,
      certificateFiles: undefined,
      tlsHosts: ['localhost', '127.0.0.1', '::1', 'canal-admin-api.canal-system.svc'],
      authorityFile: undefined,
      tokenFile: undefined,
      audiences: ['canal-admin-api'],
      agentSockets: undefined,
      nodeTokenFile: '/var/run/secrets/canal-node-api/token',
      netConf: { namespace: 'canal-system', name: 'canal-config' },
      limits: expect.objectContaining({ client: { perSecond: 200, burst: 400 }, maxStreams: 100 }) as unknown,
      logLevel: 'info',
    });
  });

  test('flags win over variables, variables over defaults, empty ones are none', () => {
    const environment = { CANAL_ADMIN_LISTEN_PORT: '1', CANAL_ADMIN_V: '4', CANAL_ADMIN_AUDIENCES: '' };
    const { options } = run(['--listen-port', '2', '--listen-ip=127.0.0.1'], environment);
    expect(options).toMatchObject({ port: 2, host: '127.0.0.1', logLevel: 'debug', audiences: ['canal-admin-api'] });
  });

  test.each([
    [['--listen-port', '65536'], '--listen-port is "65536"'],
    [['--listen-ip', 'here'], '--listen-ip is "here"'],
    [['--tls-cert-file', '/a'], 'go together'],
    [['--token-file', 'tokens'], 'an absolute path'],
    [['--client-ca', 'ca.pem'], 'an absolute path'],
    [['--audiences', ' , '], 'at least one'],
    [['--net-conf', 'a'], 'NAMESPACE/NAME'],
    [['--flanneld-socket', '/run/{node}.sock'], '--policy-socket'],
    [['--client-rate', '0'], '--client-rate'],
    [['--kube-api-url', 'ftp://a'], 'a URL'],
    [['--unheard-of'], 'unheard-of'],
    [['argument'], 'argument'],
  ])('%j is refused', (argv, expected) => {
    const command = parseAdminApiCommand(argv, {});
    expect(command.type).toBe('invalid');
    expect(JSON.stringify(command)).toContain(expected.replaceAll('"', '\\"'));
  });

  test('all problems at once, each by the name that was used', () => {
    const command = parseAdminApiCommand(['--net-conf', 'a'], { CANAL_ADMIN_LISTEN_PORT: 'x' });
    expect(command.type === 'invalid' && command.problems).toEqual([
      expect.stringContaining('CANAL_ADMIN_LISTEN_PORT is "x"'),
      expect.stringContaining('--net-conf is "a"'),
    ]);
  });

  test('a variable that is not known is a warning, those of a Service are not', () => {
    expect(run([], { CANAL_ADMIN_LISTENPORT: '1', CANAL_ADMIN_API_SERVICE_HOST: 'a' }).warnings).toEqual([
      'CANAL_ADMIN_LISTENPORT is not known and has no effect',
    ]);
  });

  test('help names every flag with its variable', () => {
    const help = parseAdminApiCommand(['--help'], {});
    expect(help.type === 'help' && help.text).toMatch(/--listen-port <number>\n.*\n {6}CANAL_ADMIN_LISTEN_PORT/);
    expect(parseAdminApiCommand(['--version'], {}).type).toBe('version');
  });
});
