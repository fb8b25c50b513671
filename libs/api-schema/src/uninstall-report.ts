/**
 * What `node-setup uninstall --output json` prints on a node, as one line among those of its log, and `canalctl uninstall`
 * reads. The two may be of different versions.
 */

export interface UninstallReport {
  readonly kind: typeof UNINSTALL_REPORT_KIND;
  readonly dryRun: boolean;
  readonly pods: readonly UninstalledPod[];
  /** In the order of removal. */
  readonly objects: readonly UninstalledObject[];
  /** What a second look found still there: somebody makes it anew, or removal failed. Empty in a dry run. */
  readonly remaining: readonly string[];
}

/** Marks the line among those of the log. */
export const UNINSTALL_REPORT_KIND = 'CanalUninstallReport';

export interface UninstalledObject {
  /** `cni-config`, `network`, … */
  readonly kind: string;
  readonly name: string;
  readonly outcome: UninstallOutcome;
  readonly note?: string;
}

export type UninstallOutcome = (typeof OUTCOMES)[number];

/** `restored`: a value of before is there again. `left`: not ours, or not ours alone; the note says why. */
const OUTCOMES = ['removed', 'restored', 'would-remove', 'would-restore', 'left', 'failed'] as const;

/** A pod that has its network from canal; it loses it. */
export interface UninstalledPod {
  readonly containerId: string;
  /** `namespace/name`, when the runtime told. */
  readonly pod?: string;
}

/** Undefined for what is no report. Of what another version may have added, it takes what it understands. */
export function parseUninstallReport(json: unknown): UninstallReport | undefined {
  if (fieldOf(json, 'kind') !== UNINSTALL_REPORT_KIND) return undefined;
  return {
    kind: UNINSTALL_REPORT_KIND,
    dryRun: fieldOf(json, 'dryRun') === true,
    pods: listOf(json, 'pods').flatMap((pod) => parsePod(pod) ?? []),
    objects: listOf(json, 'objects').flatMap((object) => parseObject(object) ?? []),
    remaining: listOf(json, 'remaining').filter((item) => typeof item === 'string'),
  };
}

function parsePod(json: unknown): UninstalledPod | undefined {
  const [containerId, pod] = [textOf(json, 'containerId'), textOf(json, 'pod')];
  if (containerId === undefined) return undefined;
  return { containerId, ...(pod !== undefined && { pod }) };
}

/** An outcome that is not known here is a failure: nobody is told that a node is clean on account of it. */
function parseObject(json: unknown): UninstalledObject | undefined {
  const [kind, name, text, note] = ['kind', 'name', 'outcome', 'note'].map((field) => textOf(json, field));
  if (kind === undefined || name === undefined || text === undefined) return undefined;
  const outcome = OUTCOMES.find((known) => known === text);
  if (outcome === undefined) return { kind, name, outcome: 'failed', note: `unknown outcome ${JSON.stringify(text)}` };
  return { kind, name, outcome, ...(note !== undefined && { note }) };
}

function textOf(json: unknown, name: string): string | undefined {
  const value = fieldOf(json, name);
  return typeof value === 'string' ? value : undefined;
}

function listOf(json: unknown, name: string): readonly unknown[] {
  const value = fieldOf(json, name);
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, name)
    ? (json as Record<string, unknown>)[name]
    : undefined;
}
