/** What an uninstall found, did and left: for people as lines, for programs as one line of JSON. */
import type { UninstallOutcome, UninstallReport } from '@canal/api-schema';

export function hasFailed({ objects, remaining }: UninstallReport): boolean {
  return remaining.length > 0 || objects.some(({ outcome }) => outcome === 'failed');
}

export function formatReport(report: UninstallReport, output: 'text' | 'json'): string {
  return output === 'json' ? `${JSON.stringify(report)}\n` : formatText(report);
}

const WORDS: Readonly<Record<UninstallOutcome, string>> = {
  removed: 'removed',
  restored: 'restored',
  'would-remove': 'would remove',
  'would-restore': 'would restore',
  left: 'left',
  failed: 'FAILED',
};

function formatText({ dryRun, objects, pods, remaining }: UninstallReport): string {
  const lines = objects.map(({ kind, name, outcome, note }) => {
    const words = WORDS[outcome].padEnd(dryRun ? 13 : 8);
    return `${words}  ${kind.padEnd(11)}  ${name}${note === undefined ? '' : `  (${note})`}`;
  });
  const work = objects.filter(({ outcome }) => outcome !== 'left').length;
  if (work === 0) lines.push('nothing of canal is on this node');
  if (pods.length > 0) {
    const names = pods.map(({ containerId, pod }) => pod ?? containerId.slice(0, 13)).join(', ');
    lines.push(`${pods.length} pods ${dryRun ? 'would lose' : 'have lost'} their network: ${names}`);
  }
  for (const text of remaining) lines.push(`STILL THERE  ${text}`);
  return `${lines.join('\n')}\n`;
}
