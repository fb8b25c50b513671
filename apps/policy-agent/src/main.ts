/** The policy agent's program: reads its command line, puts the real world together, runs until it is told to stop. */
import { readFileSync, writeSync } from 'node:fs';
import { networkInterfaces, release, uptime } from 'node:os';
import { NODE_API_AUDIENCE } from '@canal/agent-protocol';
import { type AnnotationKeys, annotationKeys } from '@canal/api-schema';
import { parsePolicyAgentCommand, type PolicyAgentConfig } from '@canal/config';
import { peerCredentials } from '@canal/linux-ffi';
import { readBootId } from '@canal/node-state';
import { createPolicyEngine } from '@canal/policy-compile';
import { createPolicyKernel } from '@canal/policy-nft';
import { connectStore, findNodeName, reviewToken, Secret } from '@canal/store-kube';
import { runDaemon, VERSION } from '@canal/telemetry';
import { type Ip, parseIp } from 'net-types';
import { netlinkLinks } from './netlink-links.ts';
import { type AgentWorld, startAgent } from './run-agent.ts';

const EXIT_OK = 0;
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
  const options = { name: 'policy-agent', leaves: 'the policy rules stay as they are', warnings, ...config };
  return await runDaemon(options, async (daemon) => {
    const { signal, log, clock, metrics } = daemon;
    daemon.waitsFor('connecting to the API server');
    const { store, connection } = await connectStore(config, clock);
    const nodeName = await findNodeName(config.node, { store, ...daemon }, signal);
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
      kernelRelease: release(),
      bootMs: Date.now() - uptime() * 1000,
      links: netlinkLinks,
      peerUid: (fd) => peerCredentials(fd).uid,
      tokenUser: (token, until) => reviewToken(connection, new Secret(token), NODE_API_AUDIENCE, until),
      bootId: readBootId(),
      version: VERSION,
    };
    const agent = startAgent(world, config, nodeName, keys, signal);
    daemon.answerBy(agent);
    await agent.done;
  });
}

function localAddresses(): readonly Ip[] {
  const texts = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
  return texts.flatMap((text) => {
    // Link-local IPv6 addresses come with a zone.
    const ip = parseIp(text.split('%')[0] ?? '');
    return ip.ok ? [ip.value] : [];
  });
}
