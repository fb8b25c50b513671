import { UNINSTALL_REPORT_KIND } from '@canal/api-schema';
import { describe, expect, test } from 'vitest';
import { commandByHand, type NodeJob, renderNodeJob } from './node-job.ts';
import { findReport, lastWords } from './node-report.ts';

const JOB: NodeJob = { namespace: 'canal-system', node: 'node-1', image: 'i', dryRun: false, timeoutSeconds: 60 };

interface Rendered {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: { readonly spec: Readonly<Record<string, unknown>> & { containers: [Container] } };
  };
}
interface Container {
  readonly args: readonly string[];
  readonly securityContext: object;
}

const render = (job: Partial<NodeJob> = {}): Rendered => renderNodeJob({ ...JOB, ...job }) as unknown as Rendered;

describe('the Job of a node', () => {
  test('is pinned, tolerates every taint, is in the host’s network and holds no token', () => {
    expect(render().spec.template.spec).toMatchObject({
      nodeName: 'node-1',
      tolerations: [{ operator: 'Exists' }],
      hostNetwork: true,
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
    });
  });

  test('is not privileged: two capabilities, a read-only root', () => {
    const [{ securityContext }] = render().spec.template.spec.containers;
    expect(securityContext).toMatchObject({
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'DAC_OVERRIDE'] },
    });
  });

  test.each<[string, Partial<NodeJob>, string[]]>([
    ['forced, since whoever runs it has agreed', {}, ['--force']],
    ['a dry run is not', { dryRun: true }, ['--dry-run']],
    ['directories of the ConfigMap', { binDir: '/b', confDir: '/c' }, ['--bin-dir=/b', '--conf-dir=/c', '--force']],
  ])('%s', (_name, job, flags) => {
    const [{ args }] = render(job).spec.template.spec.containers;
    expect(args.filter((arg) => !/^(?:node-setup|uninstall|--host-root=\/host|--output=json)$/.test(arg))).toEqual(
      flags,
    );
  });

  test.each(['a', 'ip-10-0-0-1.eu-central-1.compute.internal', 'n'.repeat(63), `${'long.'.repeat(50)}x`])(
    'the name for node %s is a label’s value',
    (node) => {
      expect(render({ node }).metadata.name).toMatch(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])$/);
    },
  );

  test('long names that begin alike get different Jobs', () => {
    const name = (node: string): string => render({ node }).metadata.name;
    expect(name(`${'n'.repeat(60)}1`)).not.toBe(name(`${'n'.repeat(60)}2`));
  });
});

test('the command by hand names what is not default', () => {
  expect(commandByHand({})).toBe('/opt/cni/bin/canal node-setup uninstall --force');
  expect(commandByHand({ binDir: '/usr/libexec/cni', confDir: '/etc/cni/net.d' })).toBe(
    '/usr/libexec/cni/canal node-setup uninstall --force --bin-dir=/usr/libexec/cni',
  );
});

describe('the report in a log', () => {
  test('is the last line of its kind, whatever stands around it', () => {
    const line = (name: string): string =>
      JSON.stringify({
        kind: UNINSTALL_REPORT_KIND,
        pods: [],
        remaining: [],
        objects: [{ kind: 'k', name, outcome: 'removed' }],
      });
    const log = ['{"level":"info"}', line('old'), 'no JSON {', line('new'), ''].join('\n');
    expect(findReport(log)?.objects).toEqual([{ kind: 'k', name: 'new', outcome: 'removed' }]);
  });

  test.each(['', '{', '[]', 'null', '{"kind":"Other"}'])('%j holds none', (log) => {
    expect(findReport(log)).toBeUndefined();
  });

  test('without one, the last words of the log are told', () => {
    expect(lastWords('{"msg":"cannot","cure":"try"}\nplain\n')).toBe('cannot. try | plain');
  });
});
