/** The images that every node has after `up`: pause, agnhost, CoreDNS, in one archive made once per set of programs. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { ArchiveFile } from './archive.ts';
import { dockerArchive } from './archive.ts';
import type { Programs } from './build.ts';
import { cacheFolder } from './build.ts';
import { IMAGES } from './plan.ts';

const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'];

/** Path of the archive. */
export function nodeImages(programs: Programs): string {
  const busybox = BUSYBOX.find((path) => existsSync(path)) ?? '/bin/busybox';
  const sources = [programs.path.agnhost, programs.path.coredns, busybox];
  const key = createHash('sha256')
    .update(JSON.stringify([IMAGES, sources, statSync(busybox).size]))
    .digest('hex');
  const path = join(cacheFolder(), `images-${key.slice(0, 12)}.tar`);
  if (existsSync(path)) return path;

  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const program = (name: string, file: string): ArchiveFile[] => [
    { path: name, mode: 0o755, content: readFileSync(file) },
  ];
  const base: ArchiveFile[] = [
    { path: 'etc/', mode: 0o755 },
    { path: 'etc/passwd', mode: 0o644, content: Buffer.from('root:x:0:0:root:/:\nnobody:x:65534:65534:nobody:/:\n') },
    { path: 'etc/group', mode: 0o644, content: Buffer.from('root:x:0:\nnobody:x:65534:\n') },
    { path: 'tmp/', mode: 0o1777 },
  ];
  const archive = dockerArchive([
    {
      tag: IMAGES.pause,
      layers: [program('busybox', busybox)],
      // A process of 1 MB where agnhost's has 20.
      entrypoint: ['/busybox', 'sleep', '2147483647'],
      architecture,
    },
    {
      tag: IMAGES.agnhost,
      layers: [base, program('agnhost', programs.path.agnhost)],
      entrypoint: ['/agnhost'],
      command: ['pause'],
      architecture,
    },
    {
      tag: IMAGES.coredns,
      layers: [base, program('coredns', programs.path.coredns)],
      entrypoint: ['/coredns'],
      architecture,
    },
  ]);
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, archive);
  renameSync(partial, path);
  return path;
}
