/** The node agent's program: reads its command line, puts the real world together, runs until it is told to stop. */
import { readFileSync, writeSync } from 'node:fs';
import { type AnnotationKeys, annotationKeys } from '@canal/api-schema';
import { type FlanneldConfig, parseFlanneldCommand } from '@canal/config';
import { createLinuxKernel, createNftTrafficKernel } from '@canal/kernel-linux';
import { ping } from '@canal/linux-ffi';
import { createSysctlRecord, readBootId, recordingSysctls } from '@canal/node-state';
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
import { type AgentWorld, type RunningAgent, startAgent } from './run-agent.ts';
import { runCleanup } from './run-cleanup.ts';

const EXIT_OK = 0;
const EXIT_FAILURE = 1;
/** As Go's flag package. */
const EXIT_USAGE = 2;

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = parseFlanneldCommand(argv, process.env);
  switch (command.type) {
    case 'help':
      writeSync(1, command.text);
      return EXIT_OK;
    case 'version':
      writeSync(1, `canal flanneld ${VERSION}\n`);
      return EXIT_OK;
    case 'invalid':
      return refuse(command.problems);
    case 'cleanup': {
      const keys = annotationKeys(command.options.annotationPrefix);
      if (!keys.ok) return refuse([wrongPrefix(keys.error.expected)]);
      return (await runCleanup(command.options, keys.value)) === 0 ? EXIT_OK : EXIT_FAILURE;
    }
    case 'run': {
      const keys = annotationKeys(command.config.annotationPrefix);
      if (!keys.ok) return refuse([wrongPrefix(keys.error.expected)]);
      return await run(command.config, keys.value, command.warnings);
    }
  }
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) writeSync(2, `flanneld: ${problem}\n`);
  writeSync(2, 'flanneld --help lists the flags\n');
  return EXIT_USAGE;
}

function wrongPrefix(expected: string): string {
  return `--kube-annotation-prefix: expected ${expected}`;
}

async function run(config: FlanneldConfig, keys: AnnotationKeys, warnings: readonly string[]): Promise<number> {
  const log = createJsonLogger({ level: config.logLevel, write: writeStderr, timeMs: () => Date.now() });
  log.info({ version: VERSION }, 'canal flanneld starts');
  for (const warning of warnings) log.warn({ warning }, 'configuration');
  const stop = new AbortController();
  const onSignal = (name: string): void => {
    log.info({ signal: name }, 'stopping; the network stays as it is');
    stop.abort(new Error(name));
  };
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  try {
    await runUntil(stop.signal, config, keys, log);
    return EXIT_OK;
  } catch (error) {
    if (stop.signal.aborted) return EXIT_OK;
    log.error({ error }, 'flanneld ends');
    return EXIT_FAILURE;
  }
}

/** Ends with the signal at once: what is under way is a read, or a write that the next start repeats. */
async function runUntil(signal: AbortSignal, config: FlanneldConfig, keys: AnnotationKeys, log: Logger): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([stopped, work(signal, config, keys, log)]);
}

async function work(signal: AbortSignal, config: FlanneldConfig, keys: AnnotationKeys, log: Logger): Promise<void> {
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
  const bootId = readBootId();
  const kernel = createLinuxKernel({ sysctlNetDirectory: config.sysctlNetDir });
  const sysctls = createSysctlRecord({ stateDir: config.cniStateDir, netDir: config.sysctlNetDir, bootId });
  const world: AgentWorld = {
    kernel: recordingSysctls(kernel, sysctls, (error) =>
      log.warn({ error }, 'what this host’s sysctls were could not be recorded: an uninstall will not put them back'),
    ),
    trafficKernel: createNftTrafficKernel(),
    store,
    clock,
    log,
    metrics,
    timeMs: () => Date.now(),
    ping: (to, pingSignal) => ping({ to, signal: pingSignal }),
    readFile: (path) => readFileSync(path, 'utf8'),
    bootId,
    version: VERSION,
  };
  started.agent = startAgent(world, config, nodeName, keys, signal);
  await Promise.all([started.agent.done, serving]);
}
