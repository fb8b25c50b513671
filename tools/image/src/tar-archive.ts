/**
 * Tar archives (POSIX.1-2001 pax) whose bytes depend on their entries alone: sorted by path, owner 0:0, modified at the
 * epoch. What a ustar header cannot hold goes into a pax record before it.
 */

export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

const BLOCK = 512;
/** Bytes of the fields of a header, pax(1), "ustar Interchange Format". */
const [NAME, LINK, PREFIX] = [100, 100, 155];
/** Eleven octal digits. */
const LARGEST_FILE = 8 ** 11 - 1;
const FLAGS = { file: '0', symlink: '2', directory: '5', pax: 'x' } as const;

const utf8 = new TextEncoder();

/** The archive in pieces, contents uncopied: hash and write them in this order. Throws RangeError on paths that repeat. */
export function tarArchive(entries: readonly TarEntry[]): readonly Uint8Array[] {
  const sorted = [...entries].sort((a, b) => compare(a.path, b.path));
  const repeated = sorted.find((entry, index) => index > 0 && entry.path === sorted[index - 1]?.path);
  if (repeated !== undefined) throw new RangeError(`two entries of the archive are called ${repeated.path}`);
  // Two empty blocks end an archive.
  return [...sorted.flatMap(encodeEntry), new Uint8Array(2 * BLOCK)];
}

/** By code units, which no locale changes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function encodeEntry(entry: TarEntry): readonly Uint8Array[] {
  if (entry.path === '' || entry.path.startsWith('/')) throw new RangeError(`path "${entry.path}" must be relative`);
  // Tools know a directory by its flag and by a trailing slash.
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const link = entry.type === 'symlink' ? entry.target : '';
  const content = entry.type === 'file' ? entry.content : new Uint8Array();
  const place = splitPath(path);
  const records = [
    ...(place === undefined ? [paxRecord('path', path)] : []),
    ...(utf8.encode(link).length > LINK ? [paxRecord('linkpath', link)] : []),
  ];
  const header = encodeHeader({
    ...(place ?? { name: cut(path, NAME), prefix: '' }),
    flag: FLAGS[entry.type],
    link: cut(link, LINK),
    mode: entry.type === 'symlink' ? 0o777 : entry.mode,
    size: content.length,
  });
  return [...(records.length > 0 ? paxHeader(path, records.join('')) : []), header, ...padded(content)];
}

/** Name and prefix of a ustar header; undefined for a path that they cannot hold. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } | undefined {
  if (utf8.encode(path).length <= NAME) return { name: path, prefix: '' };
  // A slash at the very end belongs to the name.
  for (let at = path.indexOf('/'); at !== -1 && at < path.length - 1; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (utf8.encode(name).length <= NAME && utf8.encode(prefix).length <= PREFIX) return { name, prefix };
  }
  return undefined;
}

/** What old readers see of a value that a pax record holds in full. */
function cut(text: string, bytes: number): string {
  let short = text;
  while (utf8.encode(short).length > bytes) short = short.slice(0, -1);
  return short;
}

/** "length keyword=value\n", where the length counts its own digits. */
function paxRecord(keyword: string, value: string): string {
  const rest = utf8.encode(` ${keyword}=${value}\n`).length;
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${keyword}=${value}\n`;
}

function paxHeader(path: string, records: string): readonly Uint8Array[] {
  const body = utf8.encode(records);
  const name = cut(`PaxHeaders/${path.replace(/\/$/, '').split('/').at(-1) ?? ''}`, NAME);
  return [
    encodeHeader({ name, prefix: '', flag: FLAGS.pax, link: '', mode: 0o644, size: body.length }),
    ...padded(body),
  ];
}

interface Header {
  readonly name: string;
  readonly prefix: string;
  readonly flag: string;
  readonly link: string;
  readonly mode: number;
  readonly size: number;
}

function encodeHeader(header: Header): Uint8Array {
  if (header.size > LARGEST_FILE) throw new RangeError(`${header.name} is too large for a tar archive`);
  const block = new Uint8Array(BLOCK);
  const put = (text: string, offset: number): void => {
    block.set(utf8.encode(text), offset);
  };
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  put(header.name, 0);
  put(octal(header.mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(header.size, 11), 124);
  put(octal(0, 11), 136);
  // The checksum counts its own field as spaces.
  put(' '.repeat(8), 148);
  put(header.flag, 156);
  put(header.link, 157);
  put('ustar\u000000', 257);
  put(octal(0, 7), 329);
  put(octal(0, 7), 337);
  put(header.prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(content: Uint8Array): readonly Uint8Array[] {
  if (content.length === 0) return [];
  const rest = content.length % BLOCK;
  return rest === 0 ? [content] : [content, new Uint8Array(BLOCK - rest)];
}
