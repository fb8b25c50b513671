/** A list in any format of `-o`. Nothing of what others wrote reaches the terminal but as printable characters. */
import { printable, printableLine, safeJson } from '../printable.ts';
import { table } from '../table.ts';
import { valuesAt } from './field-path.ts';
import type { CustomColumn, ListFormat } from './list-format.ts';

export interface ListColumn<T> {
  readonly title: string;
  /** With `-o wide` alone. */
  readonly wide?: true;
  readonly cell: (item: T) => string;
}

export interface ListView<T> {
  readonly columns: readonly ListColumn<T>[];
  /** Of `-o name`: what other commands take. */
  readonly name: (item: T) => string;
  /** Of `-o json` and `-o yaml`, and what custom columns look into. */
  readonly value: (item: T) => unknown;
}

export async function renderList<T>(items: readonly T[], view: ListView<T>, format: ListFormat): Promise<string> {
  switch (format.type) {
    case 'table':
    case 'wide': {
      const columns = view.columns.filter(({ wide }) => wide === undefined || format.type === 'wide');
      const rows = items.map((item) => columns.map(({ cell }) => cell(item)));
      return renderTable([columns.map(({ title }) => title), ...rows]);
    }
    case 'json':
    case 'yaml':
      return await renderValue(items.map(view.value), format.type);
    case 'name':
      return renderNames(items.map(view.name));
    case 'custom-columns':
      return renderCustomColumns(items.map(view.value), format.columns);
  }
}

export function renderTable(rows: readonly (readonly string[])[]): string {
  return table(rows.map((row) => row.map(printableLine)));
}

export async function renderValue(value: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${safeJson(value)}\n`;
  const { stringify } = await import('yaml');
  return printable(stringify(value));
}

export function renderNames(names: readonly string[]): string {
  return names.map((name) => `${printableLine(name)}\n`).join('');
}

export function renderCustomColumns(values: readonly unknown[], columns: readonly CustomColumn[]): string {
  const rows = values.map((value) => columns.map(({ path }) => cellOf(valuesAt(value, path))));
  return renderTable([columns.map(({ title }) => title), ...rows]);
}

/** As kubectl shows what is not there. */
const NOTHING = '<none>';

function cellOf(values: readonly unknown[]): string {
  const present = values.filter((value) => value !== undefined && value !== null);
  return present.length === 0 ? NOTHING : present.map(textOf).join(',');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
