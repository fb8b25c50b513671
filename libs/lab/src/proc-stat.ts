/** What identifies a process: pids are reused, a pid with its start time is not (within one boot). */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startTicks: number;
}

export interface ProcStat extends ProcessIdentity {
  /** `R`, `S`, `Z` …: see proc(5). */
  readonly state: string;
  readonly residentPages: number;
}

const FIRST_FIELD_AFTER_NAME = 3;
const START_TIME = 22;
const RSS = 24;

/** Reads /proc/PID/stat. The name in the second field may hold blanks and parentheses, so fields count from its end. */
export function parseProcStat(text: string): ProcStat | undefined {
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): string | undefined => fields[number - FIRST_FIELD_AFTER_NAME];
  const [state, startTicks, residentPages] = [field(3), Number(field(START_TIME)), Number(field(RSS))];
  if (state === undefined || !Number.isSafeInteger(startTicks) || !Number.isSafeInteger(pid)) return undefined;
  return { pid, startTicks, state, residentPages };
}

/** Whether the text of /proc/PID/environ holds exactly this setting. */
export function environHolds(environ: string, name: string, value: string): boolean {
  return `\0${environ}`.includes(`\0${name}=${value}\0`);
}
