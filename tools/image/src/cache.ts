/** Where downloads stay, outside of the clone: a second clone finds them. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const root = environment['CANAL_CACHE'];
  return join(root === undefined || root === '' ? join(homedir(), '.cache', 'canal') : root, 'image');
}
