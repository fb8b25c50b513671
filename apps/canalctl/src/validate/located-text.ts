/** Documents of a YAML or JSON text that know on which line each of their fields stands. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';

/** `['spec', 'ingress', 0]`. */
export type Path = readonly (string | number)[];

export interface LocatedDocument {
  readonly value: unknown;
  /** From 1: of the field, or of the innermost around it that is there. */
  readonly lineOf: (path: Path) => number;
  /** Of the first line of a text that stands there on lines of its own (`|`); undefined for any other value. */
  readonly blockLineOf: (path: Path) => number | undefined;
}

export interface TextFault {
  readonly line: number | undefined;
  readonly message: string;
}

export interface LocatedText {
  readonly documents: readonly LocatedDocument[];
  readonly faults: readonly TextFault[];
}

/** Half a minute, and a gigabyte of memory. */
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_ALIASES = 100;

export function parseLocated(text: string): LocatedText {
  if (text.length > MAX_TEXT) {
    return {
      documents: [],
      faults: [{ line: undefined, message: `more than ${MAX_TEXT >> 20} MiB: give it in parts` }],
    };
  }
  const lines = new LineCounter();
  const faults: TextFault[] = [];
  const documents: LocatedDocument[] = [];
  try {
    for (const document of parseAllDocuments(text, { lineCounter: lines, logLevel: 'error' })) {
      faults.push(...document.errors.map((error) => faultOf(error, lines.linePos(error.pos[0]).line)));
      if (document.errors.length > 0 || document.contents === null) continue;
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      if (value !== null) documents.push(located(document, value, lines));
    }
  } catch (error) {
    // Aliases that lead nowhere or explode, brackets that go too deep.
    faults.push(faultOf(error, undefined));
  }
  return { documents, faults };
}

function faultOf(error: unknown, line: number | undefined): TextFault {
  const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  // The parser says the place, too.
  return { line, message: first.replace(/ at line \d+, column \d+:?$/, '').replace(/:$/, '') };
}

function located(document: Document, value: unknown, lines: LineCounter): LocatedDocument {
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  return {
    value,
    lineOf: (path) => lineAt(placeOf(document, path).offset),
    blockLineOf: (path) => {
      const { node, rest, offset } = placeOf(document, path);
      const isBlock = rest === 0 && isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED');
      return isBlock ? lineAt(offset) + 1 : undefined;
    },
  };
}

interface Place {
  readonly node: unknown;
  /** Of the key, or of the item of a list. */
  readonly offset: number;
  /** Steps that lead nowhere. */
  readonly rest: number;
}

function placeOf(document: Document, path: Path): Place {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const inside = resolved(document, node);
    const next = isMap(inside) ? entryOf(inside.items, step) : isSeq(inside) ? itemOf(inside.items, step) : undefined;
    if (next === undefined) return { node, offset, rest: path.length - index };
    node = next.node;
    offset = next.offset ?? offset;
  }
  return { node, offset, rest: 0 };
}

interface Step {
  readonly node: unknown;
  readonly offset: number | undefined;
}

/** In any case of letters where there is none that is equal: net-conf.json is read so. */
function entryOf(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  step: string | number,
): Step | undefined {
  const nameOf = (key: unknown): string => String(isScalar(key) ? key.value : key);
  const wanted = String(step);
  const found =
    items.find(({ key }) => nameOf(key) === wanted) ??
    items.find(({ key }) => nameOf(key).toLowerCase() === wanted.toLowerCase());
  return found && { node: found.value, offset: startOf(found.key) };
}

function itemOf(items: readonly unknown[], step: string | number): Step | undefined {
  const node = items[Number(step)];
  return node === undefined ? undefined : { node, offset: startOf(node) };
}

function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
