/** Exit codes of canalctl; scripts may rely on them. `exec` gives the code of the command it ran. */
export const EXIT = {
  ok: 0,
  /** Something was tried and did not work. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** The lab, node, pod, object or agent named does not exist. */
  notFound: 3,
  /** What was to be made exists already and differs. */
  exists: 4,
  /** Shown, and not well: a process is dead, a pod cannot be reached. */
  unhealthy: 5,
  /** This machine lacks what is needed: root, a kernel feature. */
  notSupported: 6,
  timeout: 7,
  /** Another command is at work on the lab. */
  busy: 8,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each code tells. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'tried, and failed',
  2: 'wrong command line',
  3: 'no such lab, node, pod, object or agent',
  4: 'exists already, and differs',
  5: 'shown, and not well',
  6: 'this machine lacks what is needed',
  7: 'took too long',
  8: 'another command is at work on the lab',
};

/** The codes in the help of every command. */
export const EXIT_CODE_HELP = [
  'Exit codes:',
  ...Object.entries(EXIT_MEANINGS).map(([code, text]) => `  ${code}  ${text}`),
].join('\n');
