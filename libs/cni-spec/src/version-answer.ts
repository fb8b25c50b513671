import { LATEST_SPEC_VERSION, SPEC_VERSIONS, type SpecVersion } from './spec-version.ts';

/** The answer to VERSION, in the version of the question where canal speaks it. */
export function formatVersionAnswer(asked: SpecVersion = LATEST_SPEC_VERSION): string {
  return `${JSON.stringify({ cniVersion: asked, supportedVersions: SPEC_VERSIONS })}\n`;
}
