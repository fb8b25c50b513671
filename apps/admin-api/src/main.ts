/** The admin API's program: reads its command line, connects, serves until it is told to stop. */
import { writeSync } from 'node:fs';
import { type AnnotationKeys, annotationKeys } from '@canal/api-schema';
import { connectStore } from '@canal/store-kube';
import { runDaemon, VERSION } from '@canal/telemetry';
import { type AdminApiOptions, parseAdminApiCommand } from './options.ts';
import { diffChild } from './resources/diff-child.ts';
import { DIFF_CHILD } from './resources/diff-process.ts';
import { runAdminApi } from './run-admin-api.ts';

const EXIT_OK = 0;
/** As Go's flag package. */
const EXIT_USAGE = 2;

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === DIFF_CHILD) return await diffChild();
  const command = parseAdminApiCommand(argv, process.env);
  switch (command.type) {
    case 'help':
      writeSync(1, command.text);
      return EXIT_OK;
    case 'version':
      writeSync(1, `canal admin-api ${VERSION}\n`);
      return EXIT_OK;
    case 'invalid':
      return refuse(command.problems);
    case 'run': {
      const keys = annotationKeys(command.options.annotationPrefix);
      if (!keys.ok) return refuse([`--kube-annotation-prefix: expected ${keys.error.expected}`]);
      return await run(command.options, keys.value, command.warnings);
    }
  }
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) writeSync(2, `admin-api: ${problem}\n`);
  writeSync(2, 'admin-api --help lists the flags\n');
  return EXIT_USAGE;
}

async function run(options: AdminApiOptions, keys: AnnotationKeys, warnings: readonly string[]): Promise<number> {
  const daemon = { name: 'admin-api', leaves: 'the cluster goes on without it', logLevel: options.logLevel, warnings };
  return await runDaemon(daemon, async (world) => {
    const { done } = await runAdminApi(options, keys, await connectStore(options, world.clock), world);
    await done;
  });
}
