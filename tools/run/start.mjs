/** `npm start`: install, build, bring the lab up, show it, leave it running. */
import { buildBinary, fail, installPackages, isRoot, run, step } from './setup.mjs';

if (!isRoot()) fail('the lab makes network namespaces and needs root: run "sudo npm start"');
installPackages();
step('building dist/canal');
const canal = buildBinary();
process.exit(run(canal, ['canalctl', 'lab', 'up', ...process.argv.slice(2)], { CANAL_LAB_COMMAND: 'npm run lab --' }));
