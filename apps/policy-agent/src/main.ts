/** The policy agent's program: reads its command line, puts the real world together, runs until it is told to stop. */
import { writeSync } from 'node:fs';
import { parsePolicyAgentCommand } from '@canal/config';
import { VERSION } from '@canal/telemetry';

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
      for (const problem of command.problems) writeSync(2, `policy-agent: ${problem}\n`);
      writeSync(2, 'policy-agent --help lists the flags\n');
      return EXIT_USAGE;
    case 'run':
      return await Promise.resolve(EXIT_FAILURE);
  }
}
