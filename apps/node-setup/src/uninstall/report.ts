/** What an uninstall found, did and left: for people as lines, for programs as one line of JSON. */

export type FoundKind =
  | 'cni-config'
  | 'subnet-file'
  | 'network'
  | 'bridge'
  | 'nft-table'
  | 'program'
  | 'address'
  | 'cache'
  | 'sysctl'
  | 'directory';

export type Outcome =
  | 'removed'
  /** A value of before is there again. */
  | 'restored'
  | 'would-remove'
  | 'would-restore'
  /** Not ours, or not ours alone; `note` says why. */
  | 'left'
  | 'failed';

export interface ReportedObject {
  readonly kind: FoundKind;
  readonly name: string;
  readonly outcome: Outcome;
  readonly note?: string;
}

/** A pod that has its network from canal; it loses it. */
export interface ReportedPod {
  readonly containerId: string;
  /** `namespace/name`, when the runtime told. */
  readonly pod?: string;
}

export interface UninstallReport {
  readonly kind: typeof REPORT_KIND;
  readonly dryRun: boolean;
  readonly pods: readonly ReportedPod[];
  /** In the order of removal. */
  readonly objects: readonly ReportedObject[];
  /** What a second look found still there: somebody makes it anew, or removal failed. Empty in a dry run. */
  readonly remaining: readonly string[];
}

/** Marks the line among those of the log. */
export const REPORT_KIND = 'CanalUninstallReport';

export function hasFailed({ objects, remaining }: UninstallReport): boolean {
  return remaining.length > 0 || objects.some(({ outcome }) => outcome === 'failed');
}

export function formatReport(report: UninstallReport, output: 'text' | 'json'): string {
  return output === 'json' ? `${JSON.stringify(report)}\n` : formatText(report);
}

const WORDS: Readonly<Record<Outcome, string>> = {
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
