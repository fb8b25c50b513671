/** Set by the build; a run from source has no version. */
declare const CANAL_VERSION: string | undefined;

export const VERSION = typeof CANAL_VERSION === 'string' ? CANAL_VERSION : 'source';
