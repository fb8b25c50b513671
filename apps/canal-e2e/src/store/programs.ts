import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where `npm run cluster -- build` puts the programs; CANAL_KUBE_BIN names another directory. */
export function programPath(name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kubectl'): string {
  const directory = process.env['CANAL_KUBE_BIN'] ?? '/root/.cache/canal-warm/bin';
  const path = join(directory, name);
  if (!existsSync(path)) throw new Error(`${path} is missing: build it with npm run cluster -- build (needs Go)`);
  return path;
}
