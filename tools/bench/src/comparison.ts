/**
 * Runs contenders interleaved (A B A B …), so that what the machine does meanwhile hits both, and prints for each
 * figure the median over rounds, its range, and the ratio of the medians against the peer.
 */
import { spread, type Spread } from './statistics.ts';

/** Figures of one round, by name; the name carries the unit: `ADD p50 ms`. */
export type Figures = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  round(): Promise<Figures>;
}

export interface Comparison {
  readonly title: string;
  /** The first is ours, the last the peer that ratios refer to. */
  readonly contenders: readonly Contender[];
  readonly rounds: number;
}

export async function compare({ title, contenders, rounds }: Comparison): Promise<void> {
  const results = new Map<string, Map<string, number[]>>(contenders.map(({ name }) => [name, new Map()]));
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) {
      progress(`${title}: round ${round}/${rounds}, ${contender.name}`);
      for (const [figure, value] of Object.entries(await contender.round())) {
        const samples = results.get(contender.name);
        samples?.set(figure, [...(samples.get(figure) ?? []), value]);
      }
    }
  }
  progress('');
  print(title, rounds, contenders, results);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function print(
  title: string,
  rounds: number,
  contenders: readonly Contender[],
  results: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>,
): void {
  const peer = contenders.at(-1)?.name ?? '';
  const figures = [...new Set([...results.values()].flatMap((samples) => [...samples.keys()]))];
  const lines = [`\n### ${title} (${rounds} rounds, median of rounds [lowest..highest])\n`];
  const alone = contenders.length === 1;
  lines.push(`| figure | ${contenders.map(({ name }) => name).join(' | ')} |${alone ? '' : ` ratio to ${peer} |`}`);
  lines.push(`| --- |${' --- |'.repeat(contenders.length + (alone ? 0 : 1))}`);
  for (const figure of figures) {
    const cells = contenders.map(({ name }) => results.get(name)?.get(figure)).map((s) => (s ? spread(s) : undefined));
    const [ours, theirs] = [cells[0], cells.at(-1)];
    const ratio = ours && theirs ? (ours.median / theirs.median).toFixed(2) : '';
    lines.push(`| ${figure} | ${cells.map(cell).join(' | ')} |${alone ? '' : ` ${ratio} |`}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function cell(value: Spread | undefined): string {
  if (value === undefined) return '–';
  return `${format(value.median)} [${format(value.min)}..${format(value.max)}]`;
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
