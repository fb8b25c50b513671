import { UsageError } from '../report-error.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600 };

/** `90`, `90s`, `5m`, `1h`. Throws UsageError. */
export function parseSeconds(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([smh]?)$/.exec(text) ?? [];
  const seconds = Number(digits) * (UNITS[unit ?? ''] ?? NaN);
  if (seconds > 0) return seconds;
  throw new UsageError(`--timeout: ${JSON.stringify(text)} is no time`, 'give one such as 90s, 5m or 1h');
}
