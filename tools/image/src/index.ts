export { cacheFolder } from './cache.ts';
export { dockerArchive } from './docker-archive.ts';
export type { ArchiveImage } from './docker-archive.ts';
export { parseElf } from './elf.ts';
export type { TarEntry } from './tar-archive.ts';
