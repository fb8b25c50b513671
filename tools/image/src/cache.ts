/** Where downloads and built programs stay, outside of the clone: a second clone finds them. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The absolute folder of one part of the cache, below CANAL_CACHE or ~/.cache/canal. */
export function cacheFolder(part: 'image' | 'cluster', environment: NodeJS.ProcessEnv = process.env): string {
  const root = environment['CANAL_CACHE'];
  // Programs that are given it run in folders of their own.
  return join(root === undefined || root === '' ? join(homedir(), '.cache', 'canal') : resolve(root), part);
}
