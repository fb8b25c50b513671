/** What became of each scenario: one JSON line each, in the file that `npm run e2e` names and makes its table from. */
import { appendFileSync } from 'node:fs';

export type Outcome = 'passed' | 'failed' | 'not-offered' | 'left-out';

export interface ScenarioResult {
  readonly scenario: string;
  /** `not-offered`: this world lacks what it needs; `left-out`: it is long and --all was not given. */
  readonly outcome: Outcome;
  readonly seconds?: number;
  /** Why it failed or did not run, in one line. */
  readonly reason?: string;
  readonly notes?: Readonly<Record<string, string>>;
  /** Folder of the dump. */
  readonly dump?: string;
}

/** Where results go; without it (a single file run by hand) nothing is recorded. */
export const RESULTS_VARIABLE = 'CANAL_E2E_RESULTS';

export function recordResult(result: ScenarioResult): void {
  const file = process.env[RESULTS_VARIABLE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** Reads what was recorded; a line cut short by a crash is an error. */
export function parseResults(text: string): readonly ScenarioResult[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ScenarioResult);
}
