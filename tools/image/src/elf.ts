/**
 * What an ELF program asks of the machine that starts it: processor, loader, libraries and the versions of their symbols
 * (System V ABI, "Object Files"; LSB, "Symbol Versioning"). 64-bit little-endian, which amd64 and arm64 are.
 */

export interface ElfNeeds {
  readonly machine: 'amd64' | 'arm64' | `machine ${number}`;
  /** PT_INTERP; absent in a static program. */
  readonly interpreter?: string;
  /** DT_NEEDED, in the order of the file. */
  readonly libraries: readonly string[];
  /** Versions needed of each library, e.g. libc.so.6 → GLIBC_2.17. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

/** The bytes are no ELF file of the kinds known here, or one that is cut short. */
export class ElfError extends Error {
  override readonly name = 'ElfError';
}

const MACHINES: Readonly<Record<number, 'amd64' | 'arm64'>> = { 62: 'amd64', 183: 'arm64' };
const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
const [DT_NEEDED, DT_STRTAB, DT_VERNEED, DT_VERNEEDNUM] = [1n, 5n, 0x6ffffffen, 0x6fffffffn];

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

export function parseElf(bytes: Uint8Array): ElfNeeds {
  try {
    return parse(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    if (error instanceof RangeError) throw new ElfError('the ELF file is cut short', { cause: error });
    throw error;
  }
}

function parse(view: DataView): ElfNeeds {
  if (view.byteLength < 64 || view.getUint32(0) !== 0x7f454c46) throw new ElfError('no ELF file');
  if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1) throw new ElfError('no 64-bit little-endian ELF file');
  const segments = readSegments(view);
  const code = view.getUint16(18, true);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  return {
    machine: MACHINES[code] ?? `machine ${code}`,
    ...(interpreter && { interpreter: text(view, interpreter.offset) }),
    ...(dynamic === undefined ? { libraries: [], versions: new Map() } : readDynamic(view, segments, dynamic)),
  };
}

function readSegments(view: DataView): readonly Segment[] {
  const table = Number(view.getBigUint64(32, true));
  const [entrySize, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * entrySize;
    return {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: Number(view.getBigUint64(at + 16, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  });
}

function readDynamic(
  view: DataView,
  segments: readonly Segment[],
  dynamic: Segment,
): Pick<ElfNeeds, 'libraries' | 'versions'> {
  const entries: (readonly [tag: bigint, value: number])[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    entries.push([view.getBigInt64(at, true), Number(view.getBigUint64(at + 8, true))]);
  }
  const valueOf = (tag: bigint): number | undefined => entries.find(([name]) => name === tag)?.[1];
  const strings = fileOffset(segments, valueOf(DT_STRTAB) ?? 0);
  const libraries = entries.filter(([tag]) => tag === DT_NEEDED).map(([, value]) => text(view, strings + value));
  const needs = valueOf(DT_VERNEED);
  const count = valueOf(DT_VERNEEDNUM) ?? 0;
  const versions = needs === undefined ? new Map() : readVersions(view, fileOffset(segments, needs), count, strings);
  return { libraries, versions };
}

/** Elf64_Verneed, each with its list of Elf64_Vernaux; both are chains of relative offsets. */
function readVersions(view: DataView, start: number, count: number, strings: number): Map<string, readonly string[]> {
  const versions = new Map<string, readonly string[]>();
  for (let at = start, index = 0; index < count; index++) {
    const names: string[] = [];
    for (let aux = at + view.getUint32(at + 8, true), left = view.getUint16(at + 2, true); left > 0; left--) {
      names.push(text(view, strings + view.getUint32(aux + 8, true)));
      aux += view.getUint32(aux + 12, true);
    }
    versions.set(text(view, strings + view.getUint32(at + 4, true)), names);
    at += view.getUint32(at + 12, true);
  }
  return versions;
}

/** Tables are named by their address in memory. */
function fileOffset(segments: readonly Segment[], address: number): number {
  const found = segments.find(
    (segment) => segment.type === PT_LOAD && address >= segment.address && address < segment.address + segment.size,
  );
  if (found === undefined) throw new ElfError(`no segment holds address 0x${address.toString(16)}`);
  return found.offset + address - found.address;
}

function text(view: DataView, offset: number): string {
  let end = offset;
  while (view.getUint8(end) !== 0) end++;
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + offset, end - offset));
}
