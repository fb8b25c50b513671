import { type PingCell, type PingMatrix, podKey } from '@canal/lab';
import { type IpFamily } from 'net-types';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

/** A wider matrix no longer fits a terminal; a sum and the losses say more. */
const MAX_PODS_SHOWN = 12;
const MAX_LOSSES_SHOWN = 10;

export function renderMatrix(matrix: PingMatrix): string {
  if (matrix.cells.length === 0) return 'no two pods to ping each other\n';
  return matrix.families.map((family) => renderFamily(matrix, family)).join('\n') + renderLosses(matrix);
}

function renderFamily(matrix: PingMatrix, family: IpFamily): string {
  const cells = matrix.cells.filter((cell) => cell.family === family);
  const head = `every pod pings every pod over IPv${family}: ${summary(cells)}\n`;
  if (matrix.pods.length > MAX_PODS_SHOWN) return head;
  const names = matrix.pods.map((pod) => podKey(pod));
  const byPair = new Map(cells.map((cell) => [`${podKey(cell.from)} ${podKey(cell.to)}`, cell]));
  const rows = matrix.pods.map((from) => [
    `  ${podKey(from)} (${from.node})`,
    ...matrix.pods.map((to) => renderCell(from === to, byPair.get(`${podKey(from)} ${podKey(to)}`))),
  ]);
  return head + table([['  ms', ...names], ...rows]);
}

function renderCell(self: boolean, cell: PingCell | undefined): string {
  if (self) return '-';
  if (cell === undefined) return '';
  return cell.result.ok ? cell.result.rttMs.toFixed(2) : 'LOST';
}

function summary(cells: readonly PingCell[]): string {
  const times = cells.flatMap((cell) => (cell.result.ok ? [cell.result.rttMs] : [])).sort((a, b) => a - b);
  const lost = cells.length - times.length;
  const median = times[Math.floor(times.length / 2)];
  const spread =
    median === undefined ? '' : `, median ${median.toFixed(2)} ms, worst ${(times.at(-1) ?? median).toFixed(2)} ms`;
  return `${cells.length} pairs, ${lost} lost${spread}`;
}

function renderLosses(matrix: PingMatrix): string {
  const losses = matrix.cells.filter((cell) => !cell.result.ok);
  if (losses.length === 0) return '';
  const shown = losses.slice(0, MAX_LOSSES_SHOWN).map(({ from, to, family, result }) => {
    const reason = result.ok ? '' : printableLine(result.reason);
    return `lost: ${podKey(from)} (${from.node}) → ${podKey(to)} (${to.node}) over IPv${family}: ${reason}\n`;
  });
  const rest = losses.length - shown.length;
  return shown.join('') + (rest > 0 ? `lost: and ${rest} more\n` : '');
}
