/** The agent over whatever world it is given: the real kernel and API server, or those of a test. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AgentStatusMessage } from '@canal/agent-protocol';
import type { AnnotationKeys } from '@canal/api-schema';
import type { PolicyAgentConfig } from '@canal/config';
import type { PolicyKernel } from '@canal/kernel-port';
import { createAttachmentStore, watchDirectoryOf, watchMountedDirectories } from '@canal/node-state';
import type { PolicyEngine } from '@canal/policy-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import { createEventRecorder, nodeSubject } from '@canal/store-kube';
import type { Store } from '@canal/store-port';
import { type HealthAnswer, ProblemLog, type PrometheusMetrics } from '@canal/telemetry';
import type { Ip } from 'net-types';
import { createAgentMetrics } from './agent-metrics.ts';
import { createAgentStatus } from './agent-status.ts';
import { AttachmentWatch } from './attachment-watch.ts';
import { ClusterWatch } from './cluster-watch.ts';
import { Endpoints } from './endpoints.ts';
import { FlowCutter } from './flow-cutter.ts';
import { FlowLog } from './flow-log.ts';
import { type LinkEvent, watchLinks } from './link-watch.ts';
import { LocalPods } from './local-pods.ts';
import { namespaceConsumer } from './namespaces.ts';
import { NodeAddresses } from './node-addresses.ts';
import { type NodeServiceDeps, startNodeService } from './node-service.ts';
import { Policies } from './policies.ts';
import { Reports } from './reports.ts';
import { createRequestHandler } from './request-handler.ts';
import { RuleRunner } from './rule-runner.ts';
import { Upkeep } from './upkeep.ts';

export interface AgentWorld {
  readonly kernel: PolicyKernel;
  readonly engine: PolicyEngine;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: PrometheusMetrics;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly readFile: (path: string) => string;
  /** Of this host, as the kernel has them now. */
  readonly localAddresses: () => readonly Ip[];
  /** Of uname(2). */
  readonly kernelRelease: string;
  /** When the host was started, since the epoch. */
  readonly bootMs: number;
  readonly links: (signal: AbortSignal) => AsyncIterable<LinkEvent>;
  /** Who is at the other end of a unix socket. */
  readonly peerUid: (fd: number) => number;
  /** The user that a token stands for, made for the node API. */
  readonly tokenUser: NodeServiceDeps['tokenUser'];
  readonly bootId: string;
  readonly version: string;
}

export interface RunningAgent {
  readonly healthz: () => HealthAnswer;
  readonly readyz: () => HealthAnswer;
  readonly status: () => AgentStatusMessage;
  /** Resolves when the signal aborts; rejects when a loop ends that never should, or the kernel refuses for too long. */
  readonly done: Promise<void>;
}

/** All agents of a cluster shall not compare at the same moment. */
const RESYNC_JITTER = 0.2;
/** A program that fights with us makes no more Events than these; the counter has each repair. */
const FLUSH_EVENT_INTERVAL_MS = 60_000;

export function startAgent(
  world: AgentWorld,
  config: PolicyAgentConfig,
  nodeName: string,
  keys: AnnotationKeys,
  signal: AbortSignal,
): RunningAgent {
  const { kernel, engine, store, clock, timeMs, random } = world;
  const log = world.log.child({ node: nodeName });
  const metrics = createAgentMetrics(world.metrics, world.version);
  const component = 'canal-policy-agent';
  const recorder = createEventRecorder({ store, clock, log, component, nodeName, timeMs, random, signal });
  const nodeEvents = recorder.about(nodeSubject(nodeName));
  const problems = new ProblemLog(log, nodeEvents, metrics.problems);
  const attachments = createAttachmentStore(config.cniStateDir);
  const attachmentsRoot = `${config.cniStateDir}/attachments`;
  const changed = (kind: string): void => {
    runner.changed(kind);
    reports.changed();
  };
  const nodes = new NodeAddresses({ nodeName, keys, tunnelPorts: config.tunnelPorts, allowSample: config.allowSample });
  const policies = new Policies({ engine, log, metrics });
  const pods = new LocalPods({ store, engine, clock, log, nodeName, onFetched: () => changed('Pod') });
  const endpoints = new Endpoints({ engine, log, bootId: world.bootId, onChange: () => changed('endpoint') });
  let isOtherBridge = false;
  const onBridge = (): void => {
    isOtherBridge = true;
    changed('bridge');
  };
  let nextFlushEventMs = Number.NEGATIVE_INFINITY;
  const invalidPolicies = (): number => policies.invalid + engine.tooLargeEndpoints;
  const reports = new Reports({ engine, invalidPolicies, events: recorder, problems, clock, log, metrics });
  const cutter = new FlowCutter({
    kernel,
    view: engine.view,
    clock,
    log,
    metrics,
    problems,
    ownAddresses: () => {
      nodes.setLocalAddresses(world.localAddresses());
      return nodes.own();
    },
    strict: config.strict,
  });
  const runner = new RuleRunner(
    {
      engine,
      kernel,
      clock,
      log,
      metrics,
      timeMs,
      settle: () => {
        const isOther = nodes.settle(engine) || isOtherBridge;
        isOtherBridge = false;
        return isOther;
      },
      guard: () => nodes.guard(),
      onFlushed: (delta) => cutter.follow(delta),
      onApplied: (delta) => cutter.applied(delta),
      onResynced: (repaired, gone) => {
        cutter.everything(gone);
        if (repaired.length === 0 || clock.nowMs() < nextFlushEventMs) return;
        nextFlushEventMs = clock.nowMs() + FLUSH_EVENT_INTERVAL_MS;
        const message = `policy rules were changed by others and are repaired: ${repaired.join('; ')}`;
        nodeEvents.emit({ type: 'Warning', reason: 'ForeignFirewallFlush', message });
      },
    },
    { resyncIntervalMs: config.resyncSeconds * 1000 * (1 + RESYNC_JITTER * (random() - 0.5)) },
  );
  const attachmentWatch = new AttachmentWatch({
    attachments,
    root: attachmentsRoot,
    listNetworks: (root) => readdirSync(root),
    endpoints,
    clock,
    log,
    problems,
  });
  const watch = new ClusterWatch({
    store,
    log,
    metrics,
    onChange: changed,
    onInSync: () => {
      // Without the pods that were there before, their rules would be taken for leftovers.
      void attachmentWatch.read.then(() => runner.open());
    },
  });
  watch.add(nodes);
  watch.add(namespaceConsumer(engine));
  watch.add(policies);
  watch.add(pods);
  const flows = new FlowLog({ kernel, engine, clock, log, metrics, problems, capacity: config.flowRecords });
  const agentStatus = createAgentStatus({
    watch,
    runner,
    endpoints,
    policies,
    reports,
    problems,
    view: engine.view,
    clock,
    options: { version: world.version, node: nodeName, strict: config.strict },
  });
  const handle = createRequestHandler({
    engine,
    kernel,
    runner,
    cutter,
    endpoints,
    pods,
    flows,
    status: agentStatus.status,
    strict: config.strict,
    bootMs: world.bootMs,
    onIsolated: (endpoint, reason) => reports.isolatedFor(endpoint, reason),
    clock,
    log,
    metrics,
  });
  const upkeep = new Upkeep({
    kernel,
    runner,
    nodes,
    watch,
    problems,
    kernelRelease: world.kernelRelease,
    localAddresses: world.localAddresses,
    readNetConf: () => world.readFile(config.netConfPath),
    changed,
    clock,
    log,
    metrics,
  });
  upkeep.readNetConf();
  watchDirectoryOf(config.netConfPath, log, () => upkeep.readNetConf(), signal);
  const service = startNodeService(
    {
      handle,
      nodeName,
      tokenUser: world.tokenUser,
      peerUid: world.peerUid,
      requests: metrics.socketRequests,
      clock,
      log,
      problems,
    },
    config,
    signal,
  );
  const loops = {
    watch: watch.run(signal),
    pods: pods.run(signal),
    rules: runner.run(signal),
    attachments: attachmentWatch.run(signal),
    links: watchLinks(
      { events: world.links, onGone: (name) => endpoints.linkGone(name), onBridge, clock, log, metrics, problems },
      signal,
    ),
    ...service,
    cutter: cutter.run(signal),
    flows: flows.run(signal),
    reports: reports.run(signal),
    monitor: upkeep.monitor(signal),
    upkeep: upkeep.run(signal),
    mounts: watchMountedDirectories(
      [dirname(config.socket), config.cniStateDir, attachmentsRoot],
      { readMountinfo: () => world.readFile('/proc/self/mountinfo'), clock, problems },
      signal,
    ),
  };
  return {
    healthz: agentStatus.healthz,
    readyz: agentStatus.readyz,
    status: agentStatus.status,
    done: endOf(loops, signal),
  };
}

/** A loop that ends by itself would leave an agent that looks alive and does half of its work. */
async function endOf(loops: Readonly<Record<string, Promise<void>>>, signal: AbortSignal): Promise<void> {
  await Promise.all(
    Object.entries(loops).map(async ([name, loop]) => {
      await loop;
      if (!signal.aborted) throw new Error(`the loop "${name}" has ended`);
    }),
  );
}
