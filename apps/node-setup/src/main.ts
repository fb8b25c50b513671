/** What is done once on a node: the CNI plugin put in place, everything of canal taken away. */
import { writeSync } from 'node:fs';
import type { Logger } from '@canal/runtime-port';
import { createJsonLogger, writeStderr } from '@canal/telemetry';
import { parseSetupCommand, type SetupCommand } from './command-line.ts';
import { SetupError } from './setup-error.ts';

const EXIT_OK = 0;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const EXIT_IN_THE_WAY = 3;

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const log = createJsonLogger({ level: 'info', write: writeStderr, timeMs: () => Date.now() });
  try {
    return await run(parseSetupCommand(argv), log);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const { code, cure, message, cause } = error;
    if (code === 'usage') {
      // To a person at a terminal; everything else is read in logs.
      writeSync(2, `node-setup: ${message}\n${cure}\n`);
      return EXIT_USAGE;
    }
    log.error({ code, cure, ...(cause instanceof Error && { cause: cause.message }) }, message);
    return code === 'pods' || code === 'agent' ? EXIT_IN_THE_WAY : EXIT_FAILURE;
  }
}

async function run(command: SetupCommand, log: Logger): Promise<number> {
  switch (command.type) {
    case 'help':
      writeSync(1, command.text);
      return EXIT_OK;
    case 'install': {
      const { install } = await import('./install.ts');
      // The running file itself, also when somebody has replaced the path it was started by.
      install(command.options, { log, source: '/proc/self/exe' });
      return EXIT_OK;
    }
    case 'uninstall': {
      const { runUninstall } = await import('./uninstall/run-uninstall.ts');
      return (await runUninstall(command.options)) ? EXIT_OK : EXIT_FAILURE;
    }
    case 'self-test': {
      const { selfTest } = await import('./run-on-host.ts');
      return selfTest();
    }
    case 'exec-in-root': {
      const { execInRootProgram } = await import('./run-on-host.ts');
      return execInRootProgram(command.args);
    }
  }
}
