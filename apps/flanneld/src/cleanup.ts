/** `flanneld cleanup`: takes away each object of the node agent, and says what. Pods keep their own links and routes. */
import { describeOperation } from '@canal/delta';
import type { NetworkKernel, TrafficKernel } from '@canal/kernel-port';
import { NETWORK_NFT_TABLE } from '@canal/model';
import { planRemoval, removeNetwork } from '@canal/reconcile';
import type { SubnetFile } from './subnet-file.ts';

export interface CleanupDeps {
  readonly kernel: NetworkKernel;
  readonly trafficKernel: Pick<TrafficKernel, 'compare' | 'remove'>;
  readonly subnetFile: Pick<SubnetFile, 'exists' | 'remove'> & { readonly path: string };
  /** Withdraws the node's annotations; absent when they are to stay. Gives what it withdrew. */
  readonly annotations?: { remove(dryRun: boolean): Promise<readonly string[]> };
  /** One line for people. */
  readonly print: (line: string) => void;
}

/** Goes on after a failure, so that as little as possible is left. Gives the number of failures. */
export async function cleanup(deps: CleanupDeps, dryRun: boolean): Promise<number> {
  const { print } = deps;
  const removed = dryRun ? 'would remove' : 'removed';
  let failures = 0;
  const step = async (what: string, work: () => Promise<readonly string[]>): Promise<void> => {
    try {
      for (const text of await work()) print(`${removed}: ${text}`);
    } catch (error) {
      failures++;
      print(`failed: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  // Peers first, so that they stop sending before the device goes; the file early, so that no pod is added any more.
  await step('annotations', async () => (await deps.annotations?.remove(dryRun)) ?? []);
  await step('subnet.env', () => Promise.resolve(removeFile(deps, dryRun)));
  await step('network', async () => {
    const operations = await planRemoval(deps.kernel, { pods: false });
    if (dryRun) return operations.map(describeOperation);
    const removals = await removeNetwork(deps.kernel, operations);
    const failed = removals.filter(({ problem }) => problem !== undefined);
    failures += failed.length;
    for (const { text, problem = '' } of failed) print(`failed: ${text}: ${problem}`);
    return removals.filter(({ problem }) => problem === undefined).map(({ text }) => text);
  });
  await step('nftables', () => removeTable(deps.trafficKernel, dryRun));
  return failures;
}

function removeFile({ subnetFile }: CleanupDeps, dryRun: boolean): readonly string[] {
  const present = dryRun ? subnetFile.exists() : subnetFile.remove();
  return present ? [subnetFile.path] : [];
}

async function removeTable(kernel: CleanupDeps['trafficKernel'], dryRun: boolean): Promise<readonly string[]> {
  const present = dryRun
    ? (await kernel.compare({ name: NETWORK_NFT_TABLE, chains: [] })).differences.length > 0
    : await kernel.remove(NETWORK_NFT_TABLE);
  return present ? [`nft table inet ${NETWORK_NFT_TABLE}`] : [];
}
