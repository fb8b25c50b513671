/** `npm run cluster -- ARGS`: a real Kubernetes on this machine. */
import { bun, installClusterTools, installPackages, run } from './setup.mjs';

const words = process.argv.slice(2);
installPackages();
if (words.includes('up')) installClusterTools();
process.exit(run(bun, ['tools/cluster/src/main.ts', ...words]));
