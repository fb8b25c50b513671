import { describe, expect, test } from 'vitest';
import { parseIp, unwrap } from 'net-types';
import { ENVIRONMENT_PREFIX, environmentName, FLAGS, type FlanneldConfig, parseFlanneldCommand } from './index.ts';

const NODE = { NODE_NAME: 'node-a' };

function run(argv: string[], environment: Record<string, string> = NODE): FlanneldConfig {
  const command = parseFlanneldCommand(['--kube-subnet-mgr', ...argv], environment);
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command.config;
}

function problems(argv: string[], environment: Record<string, string> = NODE): readonly string[] {
  const command = parseFlanneldCommand(['--kube-subnet-mgr', ...argv], environment);
  return command.type === 'invalid' ? command.problems : [];
}

function warnings(argv: string[], environment: Record<string, string> = NODE): readonly string[] {
  const command = parseFlanneldCommand(['--kube-subnet-mgr', ...argv], environment);
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command.warnings;
}

describe('Go flag syntax', () => {
  const table: { name: string; argv: string[]; expected: Partial<FlanneldConfig> }[] = [
    { name: 'one dash and a value of its own', argv: ['-subnet-file', '/a'], expected: { subnetFile: '/a' } },
    { name: 'two dashes and =', argv: ['--subnet-file=/a=b'], expected: { subnetFile: '/a=b' } },
    { name: 'the last of several wins', argv: ['-subnet-file=/a', '-subnet-file=/b'], expected: { subnetFile: '/b' } },
    { name: 'a switch alone is true', argv: ['-ip-masq'], expected: { ipMasq: true } },
    { name: 'a switch takes Go booleans', argv: ['-ip-masq=T'], expected: { ipMasq: true } },
    {
      name: 'a switch set to false',
      argv: ['--iptables-forward-rules=false', '-set-node-network-unavailable=0'],
      expected: { forwardRules: false, setNodeNetworkUnavailable: false },
    },
    { name: 'a negated name', argv: ['--ip-masq-fully-random-disable'], expected: { masqueradeFullyRandom: false } },
    { name: 'a value that begins with a dash', argv: ['-subnet-file', '-x'], expected: { subnetFile: '-x' } },
    { name: 'its socket', argv: ['--node-socket=/a/b'], expected: { nodeSocket: '/a/b' } },
    {
      name: 'the node API',
      argv: ['--node-api-port=9098', '--node-api-user=u'],
      expected: { nodeApi: { port: 9098, user: 'u' } },
    },
    { name: 'the policy agent', argv: ['--policy-socket=/a/b'], expected: { policySocket: '/a/b' } },
    { name: 'verbosity', argv: ['-v=4'], expected: { logLevel: 'debug' } },
  ];
  test.each(table)('$name', ({ argv, expected }) => {
    expect(run(argv)).toMatchObject(expected);
  });

  test('the arguments of the flannel manifest are accepted without a word', () => {
    const argv = ['--ip-masq', '--healthz-port=8081'];
    const environment = {
      POD_NAME: 'kube-flannel-x',
      POD_NAMESPACE: 'kube-flannel',
      EVENT_QUEUE_DEPTH: '5000',
      CONT_WHEN_CACHE_NOT_READY: 'false',
    };
    const { node, health, ipMasq } = run(argv, environment);
    expect({ node, health, ipMasq }).toEqual({
      node: { type: 'pod', name: 'kube-flannel-x', namespace: 'kube-flannel' },
      health: { ip: unwrap(parseIp('0.0.0.0')), port: 8081 },
      ipMasq: true,
    });
    expect(warnings(argv, environment)).toEqual([]);
  });

  test('repeated interfaces and patterns keep their order', () => {
    const { interfaces } = run(['--iface=eth1', '--iface=10.0.0.1', '--iface-regex=(?i)^ETH', '--iface-regex=\\Aens']);
    expect(interfaces.interfaces).toEqual(['eth1', '10.0.0.1']);
    expect(interfaces.patterns.map((pattern) => pattern.test('eth0'))).toEqual([true, false]);
    expect(interfaces.patterns.map((pattern) => pattern.test('ens3'))).toEqual([false, true]);
  });

  test('interfaces and patterns that are empty count as unset: an empty pattern would match the first link', () => {
    const { interfaces } = run(['--iface=', '--iface-regex=', '--iface-regex', '']);
    expect(interfaces).toEqual({ interfaces: [], patterns: [] });
  });

  test('an empty address for probes is every address, as in flannel', () => {
    expect(run(['--healthz-ip=', '--healthz-port=8081']).health).toEqual({
      ip: unwrap(parseIp('0.0.0.0')),
      port: 8081,
    });
  });
});

describe('environment', () => {
  test.each([
    ['a variable sets what the command line leaves out', [], { FLANNELD_SUBNET_FILE: '/env' }, '/env'],
    ['the command line wins', ['--subnet-file=/line'], { FLANNELD_SUBNET_FILE: '/env' }, '/line'],
    ['an empty variable counts as unset', [], { FLANNELD_SUBNET_FILE: '' }, '/run/flannel/subnet.env'],
  ])('%s', (_name, argv, environment, expected) => {
    expect(run(argv, { ...NODE, ...environment }).subnetFile).toBe(expected);
  });

  test('an unknown variable is a warning that names the nearest', () => {
    expect(warnings([], { ...NODE, FLANNELD_SUBNETFILE: 'x' })).toEqual([
      'FLANNELD_SUBNETFILE is not known and has no effect: did you mean FLANNELD_SUBNET_FILE?',
    ]);
    // What Kubernetes sets for a Service called flanneld.
    expect(warnings([], { ...NODE, FLANNELD_SERVICE_HOST: '10.0.0.1' })).toHaveLength(1);
  });

  test('every flag has a variable, spelt as flannel does', () => {
    expect(environmentName(ENVIRONMENT_PREFIX, 'ip-masq')).toBe('FLANNELD_IP_MASQ');
    expect(new Set(FLAGS.map((flag) => environmentName(ENVIRONMENT_PREFIX, flag.name))).size).toBe(FLAGS.length);
  });
});

describe('problems', () => {
  test.each([
    {
      name: 'an unknown flag names the nearest',
      argv: ['--ifaces=a'],
      says: /unknown flag --ifaces: did you mean --iface\?/,
    },
    { name: 'an unknown flag unlike any other', argv: ['--qqqqqq'], says: /unknown flag --qqqqqq: see --help/ },
    { name: 'an argument that is no flag', argv: ['eth0'], says: /unexpected argument "eth0"/ },
    { name: 'arguments after --', argv: ['--', 'x'], says: /unexpected argument "x" after --/ },
    { name: 'a flag without its value', argv: ['--subnet-file'], says: /--subnet-file needs a value/ },
    { name: 'a switch with another word', argv: ['--ip-masq=yes'], says: /--ip-masq is "yes": expected true or false/ },
    { name: 'a port out of range', argv: ['--healthz-port=65536'], says: /expected a number within 0\.\.65535/ },
    {
      name: 'an address that is none',
      argv: ['--public-ip=10.0.0'],
      says: /--public-ip is "10.0.0": expected an IPv4/,
    },
    { name: 'an IPv6 address as public-ip', argv: ['--public-ip=fd00::1'], says: /--public-ip is "fd00::1"/ },
    { name: 'a broken pattern', argv: ['--iface-regex=eth['], says: /--iface-regex is "eth\[": expected a regular/ },
    { name: 'a lease margin of a day', argv: ['--subnet-lease-renew-margin=1440'], says: /within 1\.\.1439/ },
    { name: 'etcd by name', argv: ['--etcd-endpoints=http://e:2379'], says: /--etcd-endpoints is not supported yet/ },
    {
      name: 'what flannel removed',
      argv: ['--multi-cluster-CIDR'],
      says: /--multi-cluster-CIDR does not exist any more/,
    },
    { name: 'an API URL that is none', argv: ['--kube-api-url=10.0.0.1:6443'], says: /expected a URL/ },
  ])('$name', ({ argv, says }) => {
    expect(problems(argv)).toEqual([expect.stringMatching(says)]);
  });

  test('a variable is named as the user wrote it, and a secret is never shown', () => {
    const found = problems([], { ...NODE, FLANNELD_ETCD_PASSWORD: 'hunter2' });
    expect(found).toEqual(['FLANNELD_ETCD_PASSWORD is not supported yet: it needs the etcd store']);
  });

  test('all problems are reported at once', () => {
    expect(problems(['--nope', '--ip-masq=x', '--healthz-port=-1'], {})).toHaveLength(4);
  });

  test('without kube-subnet-mgr the etcd store is named', () => {
    expect(parseFlanneldCommand([], NODE)).toMatchObject({
      type: 'invalid',
      problems: [expect.stringContaining('etcd')],
    });
  });

  test.each([{ WIREGUARD_KEY_FILE: '/k' }, { EVENT_QUEUE_DEPTH: 'many' }, { CONT_WHEN_CACHE_NOT_READY: 'perhaps' }])(
    'variables outside the flags are read too: %o',
    (environment) => {
      expect(problems([], { ...NODE, ...environment })).toHaveLength(1);
    },
  );

  test('a flag of a later part is accepted when it says what is the default', () => {
    expect(run(['--etcd-prefix=/coreos.com/network', '--multi-cluster-CIDR=false']).ipMasq).toBe(false);
  });

  test('a flag without effect is accepted with a warning', () => {
    expect(warnings(['--ip-blackhole-route', '--vmodule=x=1'])).toHaveLength(2);
  });
});

describe('other commands', () => {
  test('help lists every flag with its variable, also among errors', () => {
    const command = parseFlanneldCommand(['--nope', '-h'], {});
    expect(command.type).toBe('help');
    const text = command.type === 'help' ? command.text : '';
    for (const flag of FLAGS) expect(text).toContain(`--${flag.name}`);
    expect(text).toContain('FLANNELD_SUBNET_FILE');
  });

  test('version needs nothing else', () => {
    expect(parseFlanneldCommand(['-version'], {})).toEqual({ type: 'version' });
  });

  test('cleanup takes the flags of the daemon and needs no node unless annotations go too', () => {
    expect(parseFlanneldCommand(['cleanup', '--dry-run', '--ip-masq', '--subnet-file=/s'], {})).toMatchObject({
      type: 'cleanup',
      options: { dryRun: true, removeAnnotations: false, subnetFile: '/s' },
    });
    expect(parseFlanneldCommand(['cleanup', '--remove-annotations'], {}).type).toBe('invalid');
    expect(parseFlanneldCommand(['--dry-run', '--kube-subnet-mgr'], NODE).type).toBe('invalid');
  });
});
