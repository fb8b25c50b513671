import { silentLacks } from '@canal/policy-nft';
import { type Observation, ok, trouble } from './observation.ts';

/** `release`: of uname(2). */
export function kernelAge(release: string): Observation {
  const [id, what, found] = ['kernel', 'kernel', `Linux ${release}`];
  const [worst] = silentLacks(release);
  if (worst === undefined) return ok(id, what, found);
  const { since, severity, lack } = worst;
  const next = `Linux ${since} or later, or one into which your distribution has taken that`;
  const verdict = severity === 'error' ? 'fail' : 'warn';
  return trouble(verdict, { id, what, found }, `a kernel before ${since} ${lack}`, next);
}
