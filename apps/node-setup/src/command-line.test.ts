import { expect, test } from 'vitest';
import { parseSetupCommand } from './command-line.ts';

const install = (...flags: string[]): unknown => parseSetupCommand(['install', '--host-root=/host', ...flags]);

test.each(['/etc/cni/net.d', '/var/lib/rancher/k3s/agent/etc/cni/net.d', '/cni', '/etc/..cni/.d'])(
  'install takes the directory of configurations %s',
  (directory) => {
    expect(install(`--conf-dir=${directory}`)).toMatchObject({ type: 'install' });
  },
);

test.each(['', '/', '//', '/.', '.', 'etc/cni/net.d', '/etc/cni/net.d/', '/etc//cni', '/etc/../cni', '/etc/./cni'])(
  'install refuses the directory of configurations %j, before the agent would mount it',
  (directory) => {
    expect(() => install(`--conf-dir=${directory}`)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(`--conf-dir: ${JSON.stringify(directory)}: expected`) as string,
        cure: expect.stringContaining('cni-conf-dir in the ConfigMap') as string,
      }),
    );
  },
);

test.each(['', '/', '//', 'opt/cni/bin'])('the directory of plugins is never %j', (directory) => {
  expect(() => install(`--bin-dir=${directory}`)).toThrow(/--bin-dir: .* expected/);
});

test('with or without the mount in front', () => {
  for (const directory of ['/opt/cni/bin', '/host/opt/cni/bin/']) {
    expect(install(`--bin-dir=${directory}`)).toMatchObject({ options: { binDir: '/opt/cni/bin' } });
  }
});
