/** The agent over whatever world it is given: the real kernel and API server, or those of a test. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AnnotationKeys } from '@canal/api-schema';
import type { FlanneldConfig } from '@canal/config';
import type { NetworkKernel, TrafficKernel } from '@canal/kernel-port';
import { createAttachmentStore, watchDirectoryOf, watchMountedDirectories } from '@canal/node-state';
import { createLinkLinger } from '@canal/reconcile';
import type { Clock, Logger } from '@canal/runtime-port';
import { createEventRecorder, nodeSubject } from '@canal/store-kube';
import type { Store } from '@canal/store-port';
import { type HealthAnswer, ProblemLog, type PrometheusMetrics } from '@canal/telemetry';
import { AddressGarbage, GARBAGE_TIMES } from './address-garbage.ts';
import { AddressRelease } from './address-release.ts';
import { createAgentMetrics } from './agent-metrics.ts';
import { attachmentSource } from './attachment-source.ts';
import { CniConfFile } from './cni-conf-file.ts';
import { KernelWatch } from './kernel-watch.ts';
import { NetConfSource } from './net-conf-source.ts';
import { NodeAgent } from './node-agent.ts';
import { createNodeAnswers } from './node-answers.ts';
import { NodeNetwork } from './node-network.ts';
import { NodePublisher } from './node-publisher.ts';
import { type NodeServiceDeps, startNodeService } from './node-service.ts';
import { NodeTable, nodeParser } from './node-table.ts';
import { watchNodes } from './node-watch.ts';
import { askPolicyAgent } from './policy-agent-question.ts';
import { PolicyGate } from './policy-gate.ts';
import { PeerProbe, type PeerProbeDeps, PROBE_TIMES } from './peer-probe.ts';
import { programmedPeers } from './programmed-peers.ts';
import { SubnetFile } from './subnet-file.ts';
import { TrafficRules } from './traffic-rules.ts';

/** Long enough for every peer to hear of a change of backend; an unneeded device costs nothing. */
const LINGER_MS = 30_000;

export interface AgentWorld {
  readonly kernel: NetworkKernel;
  readonly trafficKernel: TrafficKernel;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: PrometheusMetrics;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  readonly readFile: (path: string) => string;
  readonly bootId: string;
  readonly version: string;
  readonly ping: PeerProbeDeps['ping'];
  /** Who is at the other end of a unix socket. */
  readonly peerUid: (fd: number) => number;
  /** The user that a token stands for, made for the node API. */
  readonly tokenUser: NodeServiceDeps['tokenUser'];
  readonly garbageTimes?: typeof GARBAGE_TIMES;
  /** How long a device outlives the last need for it. */
  readonly lingerMs?: number;
}

export interface RunningAgent extends Pick<NodeAgent, 'healthz' | 'readyz'> {
  /** Resolves when the signal aborts; rejects when a loop ends that never should. */
  readonly done: Promise<void>;
}

export function startAgent(
  world: AgentWorld,
  config: FlanneldConfig,
  nodeName: string,
  keys: AnnotationKeys,
  signal: AbortSignal,
): RunningAgent {
  const { kernel, store, clock, timeMs } = world;
  const log = world.log.child({ node: nodeName });
  const metrics = createAgentMetrics(world.metrics, world.version);
  const nodes = new NodeTable(nodeName);
  const component = 'canal-flanneld';
  const recorder = createEventRecorder({ store, clock, log, component, nodeName, timeMs, random: Math.random, signal });
  const events = recorder.about(nodeSubject(nodeName));
  const problems = new ProblemLog(log, events, metrics.problems);
  const attachments = createAttachmentStore(config.cniStateDir);
  const cniConf = config.cniConf && new CniConfFile(config.cniConf, clock);
  const netConf = new NetConfSource(config.netConfPath, world.readFile);
  const network = new NodeNetwork({
    kernel,
    nodes,
    netConf,
    keys,
    interfaces: config.interfaces,
    attachments: attachmentSource(attachments, log),
    policed: config.policySocket !== undefined,
    linger: createLinkLinger(clock, world.lingerMs ?? LINGER_MS),
  });
  const rules = new TrafficRules(
    { kernel: world.trafficKernel, clock, log },
    { masquerade: config.ipMasq, fullyRandom: config.masqueradeFullyRandom, forward: config.forwardRules },
  );
  const publisher = new NodePublisher({
    store,
    nodes,
    keys,
    clock,
    log,
    timeMs,
    setCondition: config.setNodeNetworkUnavailable,
    authority: () => service.authority(),
    onRestored: (names) => {
      metrics.driftRepairs.inc({ kind: 'annotation' });
      const message = `annotations of this node were removed or changed and are restored: ${names.join(', ')}`;
      events.emit({ type: 'Warning', reason: 'AnnotationsRestored', message });
    },
  });
  const kernelWatch = new KernelWatch({ kernel, clock, log, metrics, onChange: () => agent.markDirty('network') });
  const { policySocket } = config;
  const policyGate =
    policySocket === undefined
      ? undefined
      : new PolicyGate({
          ask: () => askPolicyAgent(policySocket),
          clock,
          log,
          onOpen: () => agent.markDirty('cni-conf'),
        });
  const agent = new NodeAgent(
    {
      network,
      rules,
      subnetFile: new SubnetFile(config.subnetFile),
      ...(cniConf && { cniConf }),
      ...(policyGate && { policyGate }),
      publisher,
      nodes,
      problems,
      events,
      metrics,
      clock,
      log,
      timeMs,
      onTurn: (result) => kernelWatch.follow(result),
    },
    { ipMasq: config.ipMasq, resyncSeconds: config.resyncSeconds, bootId: world.bootId },
  );
  const garbage = new AddressGarbage(
    {
      attachments,
      clock,
      log,
      metrics,
      leases: () => agent.lastResult?.own?.leases,
      linkNames: async () => new Set((await kernel.listInterfaces()).map(({ name }) => name)),
    },
    {
      dataDir: config.cniDataDir,
      cacheDir: config.cniCacheDir,
      bootId: world.bootId,
      ...(world.garbageTimes ?? GARBAGE_TIMES),
    },
  );
  const release = new AddressRelease({ store, nodes, garbage, events, clock, log, timeMs });
  const probe = new PeerProbe(
    { peers: () => programmedPeers(nodes.peers(), agent.lastResult), ping: world.ping, clock, log, metrics, problems },
    PROBE_TIMES,
  );
  const service = startNodeService(
    {
      handle: createNodeAnswers({
        agent,
        peers: () => nodes.peers(),
        probe,
        garbage,
        problems,
        version: world.version,
        nodeName,
      }),
      nodeName,
      tokenUser: world.tokenUser,
      peerUid: world.peerUid,
      onAuthorityChange: () => publisher.authorityChanged(),
      requests: metrics.questions,
      clock,
      log,
      problems,
    },
    config,
    signal,
  );
  watchDirectoryOf(config.netConfPath, log, () => agent.markDirty('network'), signal);
  watchWritten(config.subnetFile, () => agent.markDirty('subnet-file'));
  if (config.cniConf !== undefined) {
    const { template, directory, name } = config.cniConf;
    watchDirectoryOf(template, log, () => agent.markDirty('cni-conf'), signal);
    watchWritten(join(directory, name), () => {
      // Then the resync looks: a turn for each change would be what the other program's pace makes it.
      if (cniConf?.isFought() !== true) agent.markDirty('cni-conf');
    });
  }
  function watchWritten(path: string, onChange: () => void): void {
    // A directory that is not there cannot be watched, and the file will be written into it anyway.
    mkdirSync(dirname(path), { recursive: true });
    watchDirectoryOf(path, log, onChange, signal);
  }
  const watch = watchNodes(
    {
      store,
      nodes,
      parse: nodeParser(nodeName, keys),
      log,
      metrics,
      onChange: () => agent.markDirty('network'),
      onOwnChange: () => {
        publisher.nodeChanged();
        release.nodeChanged();
      },
      onConnection: (connected, error) => agent.apiConnection(connected, error),
    },
    signal,
  );
  const loops = {
    watch,
    reconcile: agent.run(signal),
    publish: publisher.run(signal),
    kernel: kernelWatch.run(signal),
    rules: rules.watch(() => agent.markDirty('rules'), signal),
    garbage: garbage.run(signal),
    release: release.run(signal),
    probe: probe.run(signal),
    ...(policyGate && { policyGate: policyGate.run(signal) }),
    ...service.loops,
    mounts: watchMountedDirectories(
      writtenDirectories(config),
      { readMountinfo: () => world.readFile('/proc/self/mountinfo'), clock, problems },
      signal,
    ),
  };
  const readyz = (): HealthAnswer => {
    const { ok, text } = agent.readyz();
    return { ok, text: `${text}\n${probe.describe()}` };
  };
  return { healthz: () => agent.healthz(), readyz, done: endOf(loops, signal) };
}

function writtenDirectories(config: FlanneldConfig): string[] {
  const { subnetFile, cniConf, cniStateDir, cniDataDir, cniCacheDir, nodeSocket } = config;
  return [
    ...(cniConf === undefined ? [] : [cniConf.directory]),
    ...[dirname(subnetFile), cniStateDir, cniDataDir, cniCacheDir],
    ...(nodeSocket === undefined ? [] : [dirname(nodeSocket)]),
  ];
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
