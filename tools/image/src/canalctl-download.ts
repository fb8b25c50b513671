/** The command line as a download: the one binary under the name by which it is canalctl, with the licences. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ImageTree } from './build-image.ts';
import { ImageError } from './image-error.ts';
import { tarArchive } from './tar-archive.ts';
import { variantName, type Variant } from './variant.ts';

export interface Download {
  readonly fileName: string;
  readonly content: Uint8Array;
  /** Hexadecimal SHA-256, as sha256sum(1) prints it. */
  readonly sha256: string;
}

export function canalctlDownload(variant: Variant, { files, source }: ImageTree): Download {
  const contentOf = (path: string): Uint8Array => {
    const found = files.find((entry) => entry.path === path);
    if (found?.type !== 'file') throw new ImageError(`the image has no file ${path}`);
    return found.content;
  };
  const chunks = tarArchive([
    { type: 'file', path: 'canalctl', mode: 0o755, content: contentOf('usr/local/bin/canal') },
    { type: 'file', path: 'LICENSE', mode: 0o644, content: contentOf('usr/share/doc/canal/LICENSE') },
    { type: 'file', path: 'THIRD-PARTY', mode: 0o644, content: contentOf('usr/share/doc/canal/THIRD-PARTY') },
  ]);
  const content = gzipSync(Buffer.concat(chunks), { level: 9 });
  return {
    fileName: `canalctl-${source.version}-linux-${variantName(variant)}.tar.gz`,
    content,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}
