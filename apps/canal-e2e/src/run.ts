/** Runs groups of scenario files: cluster up, image in, files one after another, cluster down. */
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ClusterStatus, createCluster, openCluster } from '@canal/cluster';
import { runCommand } from './command.ts';
import { ANY_CLUSTER_FILES, type ClusterShape, familiesOf, type Group } from './groups.ts';
import { interrupted, onInterrupt } from './interrupt.ts';
import { writeManifest } from './manifest.ts';
import { parseNodes, type WorldConfig } from './open-world.ts';
import { familyOf } from './pods.ts';
import type { GroupResult } from './report.ts';
import type { ScenarioResult } from './results.ts';
import { DIST, ROOT, runFiles } from './run-files.ts';
import type { WorldSettings } from './world.ts';

export interface RunOptions {
  readonly all: boolean;
  /** Leaves the cluster up after a failure, and ends the run there. */
  readonly keep: boolean;
  /** Only these files, beside the installation; empty: all of the group. */
  readonly files: readonly string[];
  /** Path of what to install; `none`: that is done already. */
  readonly manifest: string;
}

/** A cluster that others brought up, as the options of the command line describe it. */
export interface ForeignCluster {
  readonly kubeconfig: string;
  readonly backend: WorldSettings['backend'];
  readonly podMode: WorldSettings['podMode'];
  readonly kubeProxy: WorldSettings['kubeProxy'];
  readonly podCidrs: readonly string[];
  readonly nodeExec?: string | undefined;
  readonly outsideExec?: string | undefined;
}

/** Where `npm run image` puts it. */
const IMAGE_TAR = join(ROOT, 'dist', 'canal-image.tar');
export const DEFAULT_MANIFEST = join(ROOT, 'deploy', 'canal.yaml');

/**
 * Several groups at a time, each on a cluster of its own: they mostly wait. Results are in the order of `groups`, and end
 * where a cluster was kept.
 */
export async function runGroups(
  groups: readonly Group[],
  name: string,
  parallel: number,
  options: RunOptions,
): Promise<readonly GroupResult[]> {
  const done = new Map<Group, GroupResult>();
  const waiting = [...groups];
  let isKept = false;
  const runLane = async (cluster: string): Promise<void> => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      if (isKept || interrupted.aborted) return;
      say(`group ${group.name} begins`);
      const startMs = performance.now();
      const results = await runGroup(group, cluster, options);
      done.set(group, { group: group.name, seconds: (performance.now() - startMs) / 1000, results });
      if (options.keep && hasFailed(results)) {
        isKept = true;
        say(`cluster ${cluster} stays up, see it with: npm run cluster -- status --name ${cluster}`);
      }
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(parallel, groups.length) }, (_, lane) =>
      runLane(lane === 0 ? name : `${name}-${lane + 1}`),
    ),
  );
  return groups.flatMap((group) => done.get(group) ?? []);
}

async function runGroup(group: Group, name: string, options: RunOptions): Promise<readonly ScenarioResult[]> {
  const { cluster } = group;
  rmSync(join(DIST, group.name), { recursive: true, force: true });
  if (cluster === undefined) return await interruptible(() => runFiles(group.name, group.files, undefined, options));
  const results: ScenarioResult[] = [];
  // An interrupt ends the files, and so comes here by two ways.
  let down: Promise<void> | undefined;
  const takeDownOnce = (): Promise<void> => (down ??= takeDown(name));
  const stopOnInterrupt = onInterrupt(takeDownOnce);
  try {
    results.push(await step('cluster up', () => bringUp(name, cluster)));
    if (hasFailed(results)) await keepLogs(group, name);
    else {
      const config = ownWorld(group, await ownStatus(name), options);
      results.push(...(await runFiles(group.name, group.files, config, options)));
    }
  } finally {
    stopOnInterrupt();
    if (!options.keep || !hasFailed(results)) results.push(await step('cluster down', takeDownOnce));
  }
  return results;
}

/** A step of the run as a row of its table. */
async function step(scenario: string, work: () => Promise<void>): Promise<ScenarioResult> {
  const startMs = performance.now();
  try {
    await work();
    return { scenario, outcome: 'passed', seconds: (performance.now() - startMs) / 1000 };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(`${scenario}: ${reason}`);
    return { scenario, outcome: 'failed', seconds: (performance.now() - startMs) / 1000, reason };
  }
}

async function bringUp(name: string, shape: ClusterShape): Promise<void> {
  const { kubernetes, ...rest } = shape;
  const progress = (line: string): void => say(`cluster ${name}: ${line}`);
  const cluster = await createCluster({ name, ...rest, ...(kubernetes === undefined ? {} : { kubernetes }), progress });
  await cluster.loadImage(IMAGE_TAR);
}

/** Of a cluster that did not come up: they go with it. */
async function keepLogs(group: Group, name: string): Promise<void> {
  const kept = join(DIST, group.name, 'cluster-logs');
  try {
    const logs = dirname(dirname((await openCluster(name)).log('control-plane', 'kube-apiserver')));
    cpSync(logs, kept, { recursive: true });
    say(`logs of the cluster: ${kept}`);
  } catch (error) {
    say(`no logs of the cluster: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function takeDown(name: string): Promise<void> {
  await (await openCluster(name)).down();
}

async function ownStatus(name: string): Promise<ClusterStatus> {
  return await (await openCluster(name)).status();
}

function ownWorld(group: Group, status: ClusterStatus, options: RunOptions): WorldConfig {
  const { name, backend, podMode, cluster } = group;
  const settings = {
    ...{ group: name, backend, podMode },
    families: familiesOf(cluster?.ipFamily ?? 'ipv4'),
    kubeProxy: cluster?.kubeProxy ?? 'unknown',
  } as const;
  return {
    kubeconfig: status.kubeconfig,
    kubectl: status.binaries['kubectl'] ?? 'kubectl',
    settings: withManifest(settings, status.podCidrs, options),
    cluster: status.name,
  };
}

export async function runOnCluster(cluster: ForeignCluster, options: RunOptions): Promise<readonly GroupResult[]> {
  const group = 'cluster';
  rmSync(join(DIST, group), { recursive: true, force: true });
  const { kubeconfig, backend, podMode, kubeProxy, podCidrs } = cluster;
  const kubectl = process.env['KUBECTL'] ?? 'kubectl';
  const listed = await runCommand([kubectl, '--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'json']);
  const families = [...new Set(parseNodes(listed.stdout).flatMap((node) => node.podCidrs.map(familyOf)))];
  const config: WorldConfig = {
    kubeconfig,
    kubectl,
    settings: withManifest({ group, families, kubeProxy, backend, podMode }, podCidrs, options),
    ...(cluster.nodeExec === undefined ? {} : { nodeExec: cluster.nodeExec }),
    ...(cluster.outsideExec === undefined ? {} : { outsideExec: cluster.outsideExec }),
  };
  const startMs = performance.now();
  const results = await interruptible(() => runFiles(group, ANY_CLUSTER_FILES, config, options));
  return [{ group, seconds: (performance.now() - startMs) / 1000, results }];
}

function withManifest(
  settings: Omit<WorldSettings, 'manifest' | 'isInstalled'>,
  podCidrs: readonly string[],
  options: RunOptions,
): WorldSettings {
  const isInstalled = options.manifest === 'none';
  const source = isInstalled ? DEFAULT_MANIFEST : options.manifest;
  const manifest = writeManifest(source, join(DIST, settings.group, 'canal.yaml'), settings, podCidrs);
  return { ...settings, manifest, isInstalled };
}

function hasFailed(results: readonly ScenarioResult[]): boolean {
  return results.some(({ outcome }) => outcome === 'failed');
}

/** Work that leaves nothing to clean up when an interrupt ends it. */
async function interruptible<T>(work: () => Promise<T>): Promise<T> {
  const stopOnInterrupt = onInterrupt(() => Promise.resolve());
  try {
    return await work();
  } finally {
    stopOnInterrupt();
  }
}

function say(text: string): void {
  process.stderr.write(`canal-e2e: ${text}\n`);
}
