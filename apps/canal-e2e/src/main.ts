/** `npm run e2e`: brings up what each group needs, runs its files, prints the table. */
import { parseArgs } from 'node:util';
import { chooseGroups } from './groups.ts';
import { countOutcomes, formatSummary, formatTable } from './report.ts';
import { DEFAULT_MANIFEST, type ForeignCluster, type RunOptions, runGroups, runOnCluster } from './run.ts';

const USAGE = `npm run e2e -- [options]
  --all                  the long scenarios and groups too
  --group NAME           only this group (several: give it again)
  --file NAME            only this file of the groups (install always runs)
  --keep                 leave the cluster up when something failed
  --name NAME            name of the cluster (default e2e; those beside it have -2, -3 …)
  --parallel N           groups at a time, each on a cluster of its own (default 2)
  --kubeconfig FILE      run on this cluster instead of one of tools/cluster
  --backend JSON         with --kubeconfig: Backend of net-conf.json (default {"Type":"vxlan"})
  --pod-mode MODE        with --kubeconfig: routed (default) or bridge
  --pod-cidr A[,B]       with --kubeconfig: the cluster's pod networks (default: what the manifest has)
  --kube-proxy MODE      with --kubeconfig: iptables or nftables, for the record
  --manifest FILE        what to install (default deploy/canal.yaml); none: canal is installed already
  --node-exec COMMAND    with --kubeconfig: runs a command on a node, e.g. 'docker exec {node}'
  --outside-exec COMMAND with --kubeconfig: runs a command on a machine outside that has agnhost, e.g. 'docker exec client'
`;

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    group: { type: 'string', multiple: true, default: [] },
    file: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
    name: { type: 'string', default: 'e2e' },
    parallel: { type: 'string', default: '2' },
    kubeconfig: { type: 'string' },
    backend: { type: 'string', default: '{"Type":"vxlan"}' },
    'pod-mode': { type: 'string', default: 'routed' },
    'pod-cidr': { type: 'string' },
    'kube-proxy': { type: 'string', default: 'unknown' },
    manifest: { type: 'string', default: DEFAULT_MANIFEST },
    'node-exec': { type: 'string' },
    'outside-exec': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const options: RunOptions = { all: values.all, keep: values.keep, files: values.file, manifest: values.manifest };
  const startMs = performance.now();
  const results =
    values.kubeconfig === undefined
      ? await runGroups(
          chooseGroups(values.group, values.all),
          values.name,
          countOf('parallel', values.parallel),
          options,
        )
      : await runOnCluster(foreignCluster(values.kubeconfig), options);
  process.stdout.write(`${formatTable(results)}\n\n`);
  process.stdout.write(`${formatSummary(results)}, in ${((performance.now() - startMs) / 1000).toFixed(0)} s\n`);
  const { passed, failed } = countOutcomes(results);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function foreignCluster(kubeconfig: string): ForeignCluster {
  return {
    kubeconfig,
    backend: JSON.parse(values.backend) as ForeignCluster['backend'],
    podMode: oneOf('pod-mode', values['pod-mode'], ['routed', 'bridge']),
    kubeProxy: oneOf('kube-proxy', values['kube-proxy'], ['iptables', 'nftables', 'unknown']),
    podCidrs: values['pod-cidr']?.split(',') ?? [],
    nodeExec: values['node-exec'],
    outsideExec: values['outside-exec'],
  };
}

function countOf(option: string, value: string): number {
  if (!/^[1-9]\d?$/.test(value)) throw new Error(`--${option} is "${value}": give a number from 1 to 99`);
  return Number(value);
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`--${option} is "${value}": give ${allowed.join(' or ')}`);
  return found;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`canal-e2e: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
