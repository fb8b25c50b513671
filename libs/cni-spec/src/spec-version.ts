/** Versions of the CNI specification that canal speaks, oldest first. */
export const SPEC_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type SpecVersion = (typeof SPEC_VERSIONS)[number];

export const LATEST_SPEC_VERSION: SpecVersion = '1.1.0';

export function isSpecVersion(text: string): text is SpecVersion {
  return SPEC_VERSIONS.some((version) => version === text);
}

export function specVersionAtLeast(version: SpecVersion, minimum: SpecVersion): boolean {
  return SPEC_VERSIONS.indexOf(version) >= SPEC_VERSIONS.indexOf(minimum);
}

/** The newest of these that canal speaks: what a runtime takes of `cniVersion` and `cniVersions` together. */
export function newestSpecVersion(versions: readonly string[]): SpecVersion | undefined {
  return SPEC_VERSIONS.findLast((version) => versions.includes(version));
}
