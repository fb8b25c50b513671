/**
 * Paths of a host whose root is mounted in a container. A symbolic link of the host (/opt/cni/bin -> /usr/libexec/cni)
 * means a path of the host: followed by the kernel from inside the container it would lead into the image.
 */
import { readlinkSync } from 'node:fs';
import { join, normalize } from 'node:path';

/** As the kernel's limit (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** `path` is absolute, as the host says it. Gives a path of this process, without links below `root`. Throws on a loop. */
export function resolveInRoot(root: string, path: string): string {
  let pending = normalize(path).split('/').filter(isName);
  const done: string[] = [];
  for (let links = 0; pending.length > 0;) {
    const [name = '', ...rest] = pending;
    if (name === '..') {
      // The parent of the root is the root.
      done.pop();
      pending = rest;
      continue;
    }
    const target = linkTarget(join(root, ...done, name));
    if (target === undefined) {
      done.push(name);
      pending = rest;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`${path}: too many symbolic links`);
    if (target.startsWith('/')) done.length = 0;
    pending = [...target.split('/').filter(isName), ...rest];
  }
  return join(root, ...done);
}

const isName = (part: string): boolean => part !== '' && part !== '.';

/** Undefined for what is no link, what is not there among it. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** The path as the host says it. */
export function hostPathOf(root: string, path: string): string {
  if (root === '/') return path;
  return path === root ? '/' : path.slice(root.length);
}
