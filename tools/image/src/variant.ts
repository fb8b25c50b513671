/** The images that are built: one for each processor, and one more for amd64 without AVX2. */
import { ImageError } from './image-error.ts';

export type Architecture = 'amd64' | 'arm64';

export interface Variant {
  readonly architecture: Architecture;
  /** For CPUs without AVX2; of amd64 alone. */
  readonly baseline: boolean;
}

export const VARIANTS: readonly Variant[] = [
  { architecture: 'amd64', baseline: false },
  { architecture: 'amd64', baseline: true },
  { architecture: 'arm64', baseline: false },
];

/** Where Debian keeps the libraries of an architecture. */
export const LIBRARY_FOLDERS: Readonly<Record<Architecture, string>> = {
  amd64: 'lib/x86_64-linux-gnu',
  arm64: 'lib/aarch64-linux-gnu',
};

/** The variant that `--platform` and `--cpu` ask for; without them that of this machine. */
export function parseVariant(
  platform: string | undefined,
  cpu: string | undefined,
  host: NodeJS.Architecture,
): Variant {
  const wanted = platform ?? `linux/${host === 'x64' ? 'amd64' : host}`;
  const architecture = (['amd64', 'arm64'] as const).find((name) => wanted === `linux/${name}`);
  if (architecture === undefined) {
    throw new ImageError(`--platform ${wanted}: there is linux/amd64 and linux/arm64`);
  }
  if (cpu !== undefined && cpu !== 'baseline') throw new ImageError(`--cpu ${cpu}: there is "baseline", or none`);
  if (cpu === 'baseline' && architecture !== 'amd64') throw new ImageError('--cpu baseline is of linux/amd64 alone');
  return { architecture, baseline: cpu === 'baseline' };
}

/** "arm64", "amd64-baseline": in file names and messages. */
export function variantName({ architecture, baseline }: Variant): string {
  return baseline ? `${architecture}-baseline` : architecture;
}

/** amd64 is what most clusters run, so its file has the plain name. */
export function archiveName(variant: Variant): string {
  const name = variantName(variant);
  return name === 'amd64' ? 'canal-image.tar' : `canal-image-${name}.tar`;
}

/** What is put behind the version to name the image: nothing where the manifest list of the plain name covers it. */
export function tagSuffix(variant: Variant): string {
  return variant.baseline ? '-baseline' : '';
}
