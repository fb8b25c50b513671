/** `npm run cluster -- …`: a real Kubernetes on this machine. Progress goes to stderr, answers to stdout. */
import { ClusterError } from './failure.ts';
import { runCommand } from './commands.ts';

try {
  process.exitCode = await runCommand(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  process.stderr.write(`cluster: ${error.message}\n`);
  // At once: what else was under way would go on, and up would keep its caller waiting.
  process.exit(error.exitStatus);
}
