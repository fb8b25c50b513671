/** The images that every node has after `up`: pause, agnhost, CoreDNS, in one archive made once per set of programs. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { TarEntry } from '@canal/image';
import { cacheFolder, dockerArchive } from '@canal/image';

import type { Programs } from './build.ts';
import { PARTIAL, removeOldPartials } from './build.ts';
import { staticBusybox } from './host-tools.ts';
import { IMAGES } from './plan.ts';

interface NodeImage {
  readonly name: string;
  /** The one program, under its name in the image's root. */
  readonly program: string;
  readonly file: string;
  readonly arguments: readonly string[];
  readonly command: readonly string[];
  /** With users, groups and /tmp. */
  readonly based: boolean;
  /** With /bin/sh, as the published agnhost has one. */
  readonly shell: boolean;
}

const BASE = {
  'etc/passwd': 'root:x:0:0:root:/:\nnobody:x:65534:65534:nobody:/:\n',
  'etc/group': 'root:x:0:\nnobody:x:65534:\n',
} as const;

/** Path of the archive. */
export function nodeImages(programs: Programs): string {
  const images = imagesOf(programs);
  // The programs' paths name their versions; of busybox nothing does.
  const busybox = statSync(staticBusybox());
  const recipe = JSON.stringify([images, BASE, busybox.size, busybox.mtimeMs]);
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 12);
  const folder = cacheFolder('cluster');
  const path = join(folder, `images-${key}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  removeOldPartials(folder);
  const partial = join(folder, `${PARTIAL}images-${process.pid}`);
  writeFileSync(partial, archiveOf(images));
  renameSync(partial, path);
  return path;
}

function imagesOf({ path }: Programs): readonly NodeImage[] {
  return [
    {
      name: IMAGES.pause,
      program: 'busybox',
      file: staticBusybox(),
      // A process of 1 MB where agnhost's has 20.
      arguments: ['sleep', '2147483647'],
      command: [],
      based: false,
      shell: false,
    },
    {
      name: IMAGES.agnhost,
      program: 'agnhost',
      file: path.agnhost,
      arguments: [],
      command: ['pause'],
      based: true,
      shell: true,
    },
    {
      name: IMAGES.coredns,
      program: 'coredns',
      file: path.coredns,
      arguments: [],
      command: [],
      based: true,
      shell: false,
    },
  ];
}

function archiveOf(images: readonly NodeImage[]): Uint8Array {
  const base: readonly TarEntry[] = [
    { type: 'directory', path: 'etc', mode: 0o755 },
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    ...Object.entries(BASE).map(([path, text]) => file(path, 0o644, Buffer.from(text))),
  ];
  const shell: readonly TarEntry[] = [
    { type: 'directory', path: 'bin', mode: 0o755 },
    // Busybox is the applet that it is called by.
    file('bin/sh', 0o755, readFileSync(staticBusybox())),
  ];
  const { chunks } = dockerArchive(
    images.map(({ name, program, file: source, arguments: words, command, based, shell: withShell }) => ({
      name,
      layers: [...(based ? [base] : []), ...(withShell ? [shell] : []), [file(program, 0o755, readFileSync(source))]],
      config: (diffIds) => ({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        created: '1970-01-01T00:00:00Z',
        config: { Entrypoint: [`/${program}`, ...words], Cmd: command, Env: ['PATH=/bin:/'], WorkingDir: '/' },
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    })),
  );
  return Buffer.concat(chunks);
}

function file(path: string, mode: number, content: Uint8Array): TarEntry {
  return { type: 'file', path, mode, content };
}
