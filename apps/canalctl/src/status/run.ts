import type { AdminFlags } from '../admin/admin-flags.ts';
import { isPassing, withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderValue } from '../output/render-list.ts';
import { createProgress } from '../progress.ts';
import { type Finding, findFaults } from './findings.ts';
import { type ClusterReport, pause, readStatus } from './read-status.ts';
import { renderStatus } from './render-status.ts';

export interface StatusFlags extends AdminFlags {
  readonly wait?: true;
  /** In seconds. */
  readonly timeout: number;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
}

const LOOK_EVERY_MS = 2_000;

export async function runStatus(context: CommandContext, flags: StatusFlags): Promise<void> {
  const { terminal, outcome } = context;
  const { report, isLate } =
    flags.wait === true ? await readUntilWell(context, flags) : { report: await read(context, flags), isLate: false };
  const findings = findFaults(report);
  const isWell = !findings.some(isError);
  if (!isWell) outcome.exitCode = isLate ? EXIT.timeout : EXIT.unhealthy;
  const { output } = flags;
  if (output === 'json' || output === 'yaml') {
    terminal.out(await renderValue({ ready: isWell, nodes: report.nodes, findings, missing: report.missing }, output));
    return;
  }
  const view = { wide: output === 'wide', colours: terminal.colours === true, nowMs: Date.now() };
  terminal.out(renderStatus(report.nodes, findings, view));
}

async function read(context: CommandContext, flags: StatusFlags): Promise<ClusterReport> {
  return await withAdminApi(context, flags, (client, signal) => readStatus(client, signal));
}

/** The last thing seen when the time is over; what failed, when nothing was. */
async function readUntilWell(
  context: CommandContext,
  flags: StatusFlags,
): Promise<{ readonly report: ClusterReport; readonly isLate: boolean }> {
  const { signal, terminal } = context;
  const endMs = performance.now() + flags.timeout * 1_000;
  const isOver = (): boolean => performance.now() >= endMs;
  const progress = createProgress(terminal);
  let last = '';
  const tell = (text: string): void => {
    if (text !== last) progress.step(text);
    last = text;
  };
  try {
    for (;;) {
      try {
        const report = await read(context, flags);
        const fault = findFaults(report).find(isError);
        if (fault === undefined) return { report, isLate: false };
        if (isOver()) return { report, isLate: true };
        tell(`waiting: ${fault.node === undefined ? '' : `${fault.node}: `}${fault.what}`);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (isOver()) {
          context.outcome.failure = EXIT.timeout;
          throw error;
        }
        tell(`waiting: ${error instanceof Error ? error.message : String(error)}`);
      }
      await pause(Math.min(LOOK_EVERY_MS, Math.max(0, endMs - performance.now())), signal);
      signal.throwIfAborted();
    }
  } finally {
    progress.done();
  }
}

function isError({ severity }: Finding): boolean {
  return severity === 'error';
}
