/** `npm run cluster -- ARGS`: a real Kubernetes on this machine. */
import { bun, installPackages, run } from './setup.mjs';

installPackages();
process.exit(run(bun, ['tools/cluster/src/main.ts', ...process.argv.slice(2)]));
