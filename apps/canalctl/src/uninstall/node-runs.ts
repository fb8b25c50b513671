/** Runs the Job on each node, several at a time, and gathers what they say. */
import type { UninstallReport } from '@canal/api-schema';
import { type KubeObject, PODS, type Store, StoreError } from '@canal/store-port';
import type { Clock } from '@canal/runtime-port';
import { isJsonObject, textAt } from '../objects/json-object.ts';
import { JOB_SELECTOR, type NodeJob, renderNodeJob } from './node-job.ts';
import { findReport, lastWords } from './node-report.ts';
import { JOBS } from './resources.ts';

export interface NodeRunDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly podLog: (namespace: string, pod: string) => Promise<string>;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export type NodeOutcome = 'done' | 'failed' | 'unreachable';

export interface NodeResult {
  readonly node: string;
  readonly outcome: NodeOutcome;
  readonly report?: UninstallReport;
  /** Why it is not done. */
  readonly problem?: string;
}

const PARALLEL = 20;
const POLL_MS = 500;

export async function runOnNodes(deps: NodeRunDeps, jobs: readonly NodeJob[]): Promise<readonly NodeResult[]> {
  const results: NodeResult[] = [];
  const waiting = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      results.push(await runOne(deps, job));
      deps.onProgress(`${results.length} of ${jobs.length} nodes`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, jobs.length) }, worker));
  return results.sort((a, b) => (a.node < b.node ? -1 : 1));
}

async function runOne(deps: NodeRunDeps, job: NodeJob): Promise<NodeResult> {
  const { node, namespace } = job;
  const manifest = renderNodeJob(job);
  const { name } = manifest.metadata;
  try {
    await removeJob(deps.store, namespace, name);
    await deps.store.create(JOBS, manifest);
    return await outcomeOf(deps, job, name);
  } catch (error) {
    deps.signal.throwIfAborted();
    return { node, outcome: 'failed', problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await removeJob(deps.store, namespace, name).catch(() => undefined);
  }
}

async function outcomeOf(deps: NodeRunDeps, job: NodeJob, jobName: string): Promise<NodeResult> {
  const { clock, signal } = deps;
  const { node, namespace, timeoutSeconds } = job;
  const deadlineMs = clock.nowMs() + timeoutSeconds * 1000;
  let seen = 'no pod was made for it';
  while (clock.nowMs() < deadlineMs) {
    const pod = await findPod(deps.store, namespace, jobName);
    if (pod !== undefined) {
      const phase = textAt(pod, 'status', 'phase') ?? 'Pending';
      if (phase === 'Succeeded' || phase === 'Failed') return await finished(deps, node, pod, phase);
      seen = whyWaiting(pod, phase);
    }
    await clock.sleep(POLL_MS, signal);
  }
  const problem = `no answer within ${timeoutSeconds} s: ${seen}`;
  return { node, outcome: /Pending|no pod/.test(seen) ? 'unreachable' : 'failed', problem };
}

/** Done is only what says so itself: a pod that ended well and whose report cannot be had may have cleaned nothing. */
async function finished(deps: NodeRunDeps, node: string, pod: KubeObject, phase: string): Promise<NodeResult> {
  const { name, namespace = '' } = pod.metadata;
  const log = await deps.podLog(namespace, name).catch((error: unknown) => {
    return `the log cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  });
  const report = findReport(log);
  if (report === undefined) return { node, outcome: 'failed', problem: whyNoReport(pod, phase, log) };
  if (phase === 'Succeeded') return { node, outcome: 'done', report };
  return { node, outcome: 'failed', problem: 'not everything could be removed', report };
}

function whyNoReport(pod: KubeObject, phase: string, log: string): string {
  if (phase === 'Succeeded') return `its pod ended well, but without a report: ${lastWords(log) || 'its log is empty'}`;
  return textAt(pod, 'status', 'message') ?? textAt(pod, 'status', 'reason') ?? lastWords(log);
}

async function findPod(store: Store, namespace: string, job: string): Promise<KubeObject | undefined> {
  const [pod] = await store.list(PODS, { namespace, labelSelector: `${JOB_SELECTOR},job-name=${job}` });
  return pod;
}

/** What the kubelet says of a container that does not start: ErrImagePull and the like. */
function whyWaiting(pod: KubeObject, phase: string): string {
  const status = isJsonObject(pod['status']) ? pod['status'] : {};
  const containers: unknown = status['containerStatuses'];
  const [first] = Array.isArray(containers) ? (containers as unknown[]) : [];
  const reason = textAt(first, 'state', 'waiting', 'reason');
  const message = textAt(first, 'state', 'waiting', 'message');
  const why = [reason, message].filter((text) => text !== undefined).join(': ');
  return `its pod is ${phase}${why === '' ? '' : ` (${why})`}`;
}

/** The API's default for Jobs leaves their pods: they are deleted here, and nothing is waited for. */
async function removeJob(store: Store, namespace: string, name: string): Promise<void> {
  await ifThere(store.delete(JOBS, name, namespace));
  const pods = await store.list(PODS, { namespace, labelSelector: `${JOB_SELECTOR},job-name=${name}` });
  for (const pod of pods) await ifThere(store.delete(PODS, pod.metadata.name, namespace));
}

/** Jobs that an uninstall left when it was killed. */
export async function removeFormerJobs(store: Store, namespace: string): Promise<void> {
  for (const type of [JOBS, PODS]) {
    for (const { metadata } of await store.list(type, { namespace, labelSelector: JOB_SELECTOR })) {
      await ifThere(store.delete(type, metadata.name, namespace));
    }
  }
}

/** False when the object that was to be deleted or changed is not there. */
export async function ifThere(change: Promise<unknown>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'not-found') return false;
    throw error;
  }
}
