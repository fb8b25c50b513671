/** Few rectangles (sources, destinations, ports) that together cover exactly what changes. They may overlap. */
import type { FlowRow } from './changed-flows.ts';
import { NO_PORTS, type PortSetId, type PortSets } from './port-sets.ts';

export interface FlowRectangle {
  /** Places of classes, ascending. */
  readonly sources: readonly number[];
  readonly destinations: readonly number[];
  readonly ports: PortSetId;
}

/** How many cells may be looked at while rectangles grow; what is left then is told row by row. */
const PATIENCE = 20_000_000;

/** Grown from the widest ports first and from the narrowest first: the fewer rectangles are taken. */
export function flowRectangles(
  rows: readonly FlowRow[],
  ports: PortSets,
  patience: number = PATIENCE,
): readonly FlowRectangle[] {
  const table = tableOf(rows);
  if (table.columns.length === 0) return [];
  const cells = cellsBySet(table.values);
  const sets = [...cells.keys()].map((set) => ({ set, size: ports.size(set) })).sort((a, b) => b.size - a.size);
  const widestFirst = sets.map(({ set }) => cells.get(set) ?? []);
  const widest = cover(table.values, widestFirst, ports, patience);
  const narrowest = cover(table.values, widestFirst.toReversed(), ports, patience);
  const best = narrowest.length < widest.length ? narrowest : widest;
  return best.map(({ rows: taken, columns, ports: set }) => ({
    sources: taken.flatMap((row) => (rows[row] as FlowRow).sources).sort((a, b) => a - b),
    destinations: columns.flatMap((column) => table.columns[column] as number[]).sort((a, b) => a - b),
    ports: set,
  }));
}

/** Destinations that have the same ports from each row are one column. */
interface Table {
  readonly columns: readonly (readonly number[])[];
  /** By row and column. */
  readonly values: readonly Int32Array[];
}

function tableOf(rows: readonly FlowRow[]): Table {
  const width = rows[0]?.ports.length ?? 0;
  const byHash = new Map<number, number[]>();
  const columns: number[][] = [];
  for (let destination = 0; destination < width; destination++) {
    let hash = 0;
    let isFilled = false;
    for (const { ports } of rows) {
      const set = ports[destination] as PortSetId;
      hash = Math.imul(hash ^ set, 0x9e37_79b1) + 1;
      if (set !== NO_PORTS) isFilled = true;
    }
    if (!isFilled) continue;
    let alike = byHash.get(hash);
    if (alike === undefined) byHash.set(hash, (alike = []));
    const known = alike.find((column) => {
      const first = (columns[column] as number[])[0] as number;
      return rows.every(({ ports }) => ports[first] === ports[destination]);
    });
    if (known === undefined) alike.push(columns.push([destination]) - 1);
    else (columns[known] as number[]).push(destination);
  }
  const values = rows.map(({ ports }) => Int32Array.from(columns, ([first]) => ports[first as number] as PortSetId));
  return { columns, values };
}

/** Places of cells (row times width and column), ascending, by what they hold. In order of the first place. */
function cellsBySet(values: readonly Int32Array[]): ReadonlyMap<PortSetId, readonly number[]> {
  const cells = new Map<PortSetId, number[]>();
  for (const [row, sets] of values.entries()) {
    for (const [column, set] of sets.entries()) {
      if (set === NO_PORTS) continue;
      const places = cells.get(set);
      if (places === undefined) cells.set(set, [row * sets.length + column]);
      else places.push(row * sets.length + column);
    }
  }
  return cells;
}

interface Rectangle {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly ports: PortSetId;
}

/** From cell to cell: what is not covered of it yet grows as wide as it goes, and keeps what is new. */
function cover(
  values: readonly Int32Array[],
  cells: readonly (readonly number[])[],
  ports: PortSets,
  patience: number,
): Rectangle[] {
  const width = values[0]?.length ?? 0;
  const left = values.map((sets) => sets.slice());
  const found = new Map<string, Rectangle>();
  const grower = new Grower(values, ports);
  for (const place of cells.flat()) {
    const [row, column] = [Math.floor(place / width), place % width];
    const set = left[row]?.[column] ?? NO_PORTS;
    if (set === NO_PORTS) continue;
    const isPatient = grower.looks < patience;
    const shapes = isPatient ? grower.grow(row, column, set) : [stretch(left, row, set)];
    const { rows, columns } = mostNew(
      shapes.map((shape) => newPart(shape, (at, to) => isNew(left, at, to, set, ports))),
    );
    const key = `${rows.join()} ${columns.join()}`;
    found.set(key, { rows, columns, ports: ports.union(found.get(key)?.ports ?? NO_PORTS, set) });
    for (const at of rows) {
      const sets = left[at] as Int32Array;
      for (const to of columns) sets[to] = ports.difference(sets[to] as PortSetId, set);
    }
  }
  return [...found.values()];
}

type Shape = Omit<Rectangle, 'ports'>;

function isNew(left: readonly Int32Array[], at: number, to: number, set: PortSetId, ports: PortSets): boolean {
  return ports.intersection(left[at]?.[to] ?? NO_PORTS, set) !== NO_PORTS;
}

/** Without the rows and columns of which others tell all already. */
function newPart({ rows, columns }: Shape, isNewAt: (row: number, column: number) => boolean): Shape {
  const newRows = rows.filter((at) => columns.some((to) => isNewAt(at, to)));
  return { rows: newRows, columns: columns.filter((to) => newRows.some((at) => isNewAt(at, to))) };
}

function mostNew(shapes: readonly Shape[]): Shape {
  return shapes.reduce((best, shape) =>
    shape.rows.length * shape.columns.length > best.rows.length * best.columns.length ? shape : best,
  );
}

class Grower {
  readonly #values: readonly Int32Array[];
  readonly #ports: PortSets;
  readonly #allRows: readonly number[];
  readonly #allColumns: readonly number[];
  looks = 0;

  constructor(values: readonly Int32Array[], ports: PortSets) {
    this.#values = values;
    this.#ports = ports;
    this.#allRows = [...values.keys()];
    this.#allColumns = [...(values[0]?.keys() ?? [])];
  }

  /** As many columns as the row has with as many rows as they allow, and the other way. */
  grow(row: number, column: number, set: PortSetId): readonly Shape[] {
    const answers = new Map<PortSetId, boolean>();
    const has = (at: number, to: number): boolean => {
      this.looks++;
      const value = (this.#values[at] as Int32Array)[to] as PortSetId;
      let answer = answers.get(value);
      if (answer === undefined) answers.set(value, (answer = this.#ports.includes(value, set)));
      return answer;
    };
    const wide = this.#allColumns.filter((to) => has(row, to));
    const tall = this.#allRows.filter((at) => has(at, column));
    return [
      { rows: this.#allRows.filter((at) => wide.every((to) => has(at, to))), columns: wide },
      { rows: tall, columns: this.#allColumns.filter((to) => tall.every((at) => has(at, to))) },
    ];
  }
}

function stretch(left: readonly Int32Array[], row: number, set: PortSetId): Shape {
  const sets = left[row] as Int32Array;
  return { rows: [row], columns: [...sets.keys()].filter((to) => sets[to] === set) };
}
