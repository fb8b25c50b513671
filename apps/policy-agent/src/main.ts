/** The policy agent's program: reads its command line, puts the real world together, runs until it is told to stop. */
import { readFileSync, writeSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type AnnotationKeys, annotationKeys } from '@canal/api-schema';
import { parsePolicyAgentCommand, type PolicyAgentConfig } from '@canal/config';
import { peerCredentials } from '@canal/linux-ffi';
import { readBootId } from '@canal/node-state';
import { createPolicyEngine } from '@canal/policy-compile';
import { createPolicyKernel } from '@canal/policy-nft';
import type { Logger } from '@canal/runtime-port';
import { connectStore, findNodeName } from '@canal/store-kube';
import {
  createJsonLogger,
  createPrometheusMetrics,
  createSystemClock,
  type HealthAnswer,
  serveHealth,
  VERSION,
  writeStderr,
} from '@canal/telemetry';
import { type Ip, parseIp } from 'net-types';
import { netlinkLinks } from './netlink-links.ts';
import { type AgentWorld, type RunningAgent, startAgent } from './run-agent.ts';

const EXIT_OK = 0;
const EXIT_FAILURE = 1;
/** As Go's flag package. */
const EXIT_USAGE = 2;

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = parsePolicyAgentCommand(argv, process.env);
  switch (command.type) {
    case 'help':
      writeSync(1, command.text);
      return EXIT_OK;
    case 'version':
      writeSync(1, `canal policy-agent ${VERSION}\n`);
      return EXIT_OK;
    case 'invalid':
      return refuse(command.problems);
    case 'run': {
      const keys = annotationKeys(command.config.annotationPrefix);
      if (!keys.ok) return refuse([`--kube-annotation-prefix: expected ${keys.error.expected}`]);
      return await run(command.config, keys.value, command.warnings);
    }
  }
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) writeSync(2, `policy-agent: ${problem}\n`);
  writeSync(2, 'policy-agent --help lists the flags\n');
  return EXIT_USAGE;
}

async function run(config: PolicyAgentConfig, keys: AnnotationKeys, warnings: readonly string[]): Promise<number> {
  const log = createJsonLogger({ level: config.logLevel, write: writeStderr, timeMs: () => Date.now() });
  log.info({ version: VERSION }, 'canal policy-agent starts');
  for (const warning of warnings) log.warn({ warning }, 'configuration');
  const stop = new AbortController();
  const onSignal = (name: string): void => {
    log.info({ signal: name }, 'stopping; the policy rules stay as they are');
    stop.abort(new Error(name));
  };
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  try {
    await runUntil(stop.signal, config, keys, log);
    return EXIT_OK;
  } catch (error) {
    if (stop.signal.aborted) return EXIT_OK;
    log.error({ error }, 'policy-agent ends; the policy rules stay as they are');
    return EXIT_FAILURE;
  }
}

/** Ends with the signal at once: what is under way is a read, or one transaction. */
async function runUntil(
  signal: AbortSignal,
  config: PolicyAgentConfig,
  keys: AnnotationKeys,
  log: Logger,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([stopped, work(signal, config, keys, log)]);
}

async function work(signal: AbortSignal, config: PolicyAgentConfig, keys: AnnotationKeys, log: Logger): Promise<void> {
  const clock = createSystemClock();
  const metrics = createPrometheusMetrics();
  const started: { agent?: RunningAgent } = {};
  let waitsFor = 'connecting to the API server';
  const probes = {
    metrics,
    clock,
    log,
    healthz: (): HealthAnswer => started.agent?.healthz() ?? { ok: true, text: waitsFor },
    readyz: (): HealthAnswer => started.agent?.readyz() ?? { ok: false, text: waitsFor },
  };
  const serving = config.health === undefined ? Promise.resolve() : serveHealth(probes, config.health, signal);
  const store = await connectStore(config, clock);
  waitsFor = 'finding out the name of this node';
  const onProblem = (problem: string): void => {
    waitsFor = `the name of this node is not known yet: ${problem}`;
  };
  const nodeName = await findNodeName(config.node, { store, clock, log, onProblem }, signal);
  const world: AgentWorld = {
    kernel: createPolicyKernel(),
    engine: createPolicyEngine(),
    store,
    clock,
    log,
    metrics,
    timeMs: () => Date.now(),
    random: Math.random,
    readFile: (path) => readFileSync(path, 'utf8'),
    localAddresses,
    links: netlinkLinks,
    peerUid: (fd) => peerCredentials(fd).uid,
    bootId: readBootId(),
    version: VERSION,
  };
  started.agent = startAgent(world, config, nodeName, keys, signal);
  await Promise.all([started.agent.done, serving]);
}

function localAddresses(): readonly Ip[] {
  const texts = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
  return texts.flatMap((text) => {
    // Link-local IPv6 addresses come with a zone.
    const ip = parseIp(text.split('%')[0] ?? '');
    return ip.ok ? [ip.value] : [];
  });
}
