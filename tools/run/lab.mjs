/** `npm run lab -- ARGS`: canalctl lab ARGS with a current binary. */
import { buildBinary, installPackages, run } from './setup.mjs';

installPackages();
process.exit(
  run(buildBinary(), ['canalctl', 'lab', ...process.argv.slice(2)], { CANAL_LAB_COMMAND: 'npm run lab --' }),
);
