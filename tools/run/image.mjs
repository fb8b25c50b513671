/** `npm run image [-- --help]`: dist/canal-image.tar, without a container engine. */
import { bun, installPackages, run } from './setup.mjs';

installPackages();
process.exit(run(bun, ['tools/image/src/main.ts', ...process.argv.slice(2)]));
