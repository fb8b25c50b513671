/**
 * `npm run e2e [-- OPTIONS]`: what users do, on a real Kubernetes that is brought up for it. With --kubeconfig it runs
 * against any cluster, and builds nothing.
 */
import {
  bun,
  buildBinary,
  fail,
  installClusterTools,
  installPackages,
  installTestTools,
  isRoot,
  run,
  step,
} from './setup.mjs';

const args = process.argv.slice(2);
const needsCluster = !args.some((arg) => arg.startsWith('--kubeconfig') || arg === '--help');
if (needsCluster && !isRoot())
  fail('end-to-end tests make machines of namespaces and need root: run "sudo npm run e2e"');
installPackages();
if (needsCluster) {
  installTestTools();
  installClusterTools();
  step('building the components of Kubernetes (npm run cluster -- build)');
  must([bun, ['tools/cluster/src/main.ts', 'build']]);
  step('building dist/canal and dist/canal-image.tar (npm run image)');
  buildBinary();
  must([process.execPath, ['tools/run/image.mjs']]);
}
process.exit(run(bun, ['--bun', 'apps/canal-e2e/src/main.ts', ...args]));

function must([command, commandArgs]) {
  const status = run(command, commandArgs);
  if (status !== 0) process.exit(status);
}
