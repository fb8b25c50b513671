/** The node agent's program: reads its command line, puts the real world together, runs until it is told to stop. */
import { readFileSync, writeSync } from 'node:fs';
import { NODE_API_AUDIENCE } from '@canal/agent-protocol';
import { type AnnotationKeys, annotationKeys } from '@canal/api-schema';
import { type FlanneldConfig, parseFlanneldCommand } from '@canal/config';
import { createLinuxKernel, createNftTrafficKernel } from '@canal/kernel-linux';
import { peerCredentials, ping } from '@canal/linux-ffi';
import { createSysctlRecord, readBootId, recordingSysctls } from '@canal/node-state';
import { connectStore, findNodeName, reviewToken, Secret } from '@canal/store-kube';
import { runDaemon, VERSION } from '@canal/telemetry';
import { type AgentWorld, startAgent } from './run-agent.ts';
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
  const options = { name: 'flanneld', leaves: 'the network stays as it is', warnings, ...config };
  return await runDaemon(options, async (daemon) => {
    const { signal, log, clock, metrics } = daemon;
    daemon.waitsFor('connecting to the API server');
    const { store, connection } = await connectStore(config, clock);
    const nodeName = await findNodeName(config.node, { store, ...daemon }, signal);
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
      peerUid: (fd) => peerCredentials(fd).uid,
      tokenUser: (token, until) => reviewToken(connection, new Secret(token), NODE_API_AUDIENCE, until),
      readFile: (path) => readFileSync(path, 'utf8'),
      bootId,
      version: VERSION,
    };
    const agent = startAgent(world, config, nodeName, keys, signal);
    daemon.answerBy(agent);
    await agent.done;
  });
}
