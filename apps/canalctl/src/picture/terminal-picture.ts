/** What a terminal shows as SVG, without fonts or programs of others: the same text gives the same picture. */

export interface TerminalPicture {
  /** For who cannot see it. */
  readonly title: string;
  /** What was typed, and what the terminal showed then, with SGR sequences (ECMA-48). */
  readonly screens: readonly { readonly command: string; readonly output: string }[];
}

interface Style {
  readonly bold: boolean;
  readonly faint: boolean;
  /** Key of COLOURS; undefined: as text is. */
  readonly colour: number | undefined;
}

interface Run {
  readonly text: string;
  readonly style: Style;
  /** Column of its first character. */
  readonly column: number;
}

const PLAIN: Style = { bold: false, faint: false, colour: undefined };
const BOLD: Style = { ...PLAIN, bold: true };

/** By SGR number; bright ones are 60 more. On a dark ground, contrast 4.5:1 and more (WCAG 2.2 AA). */
const COLOURS: Readonly<Record<number, string>> = {
  30: '#8b949e',
  31: '#ff7b72',
  32: '#56d364',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#56d4dd',
  37: '#e6edf3',
};
const GROUND = '#0d1117';
const TEXT = '#d0d7de';

/** Pixels. Fonts differ in width, so each run is told how long it is. */
const CELL_WIDTH = 8;
const LINE_HEIGHT = 18;
const MARGIN = 14;
const FONT_SIZE = 13;
const MIN_COLUMNS = 60;

export function terminalPicture({ title, screens }: TerminalPicture): string {
  const lines = screens.flatMap(({ command, output }, index) => [
    ...(index === 0 ? [] : [[]]),
    [{ text: `$ ${command}`, style: BOLD, column: 0 }],
    ...linesOf(output),
  ]);
  const columns = Math.max(MIN_COLUMNS, ...lines.map(widthOf));
  const width = columns * CELL_WIDTH + 2 * MARGIN;
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT_SIZE}">\n`,
    `<title>${escaped(title)}</title>\n`,
    `<rect width="${width}" height="${height}" rx="8" fill="${GROUND}"/>\n`,
    ...lines.flatMap((runs, index) => runs.map((run) => `${textOf(run, index)}\n`)),
    '</svg>\n',
  ].join('');
}

const ERASED = /[^\n]*\r\u001b\[2?K/g;

function widthOf(runs: readonly Run[]): number {
  const last = runs.at(-1);
  return last === undefined ? 0 : last.column + lengthOf(last.text);
}

/** Cells: every character that canalctl prints takes one. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

function textOf({ text, style, column }: Run, line: number): string {
  const x = MARGIN + column * CELL_WIDTH;
  const y = MARGIN + line * LINE_HEIGHT + FONT_SIZE;
  const { bold, faint, colour } = style;
  const attributes = [
    ['x', x],
    ['y', y],
    ['textLength', lengthOf(text) * CELL_WIDTH],
    ['fill', (colour === undefined ? undefined : COLOURS[colour]) ?? TEXT],
    ...(bold ? [['font-weight', 'bold']] : []),
    ...(faint ? [['opacity', '0.7']] : []),
  ];
  const written = attributes.map(([name, value]) => `${name}="${value}"`).join(' ');
  return `<text xml:space="preserve" lengthAdjust="spacingAndGlyphs" ${written}>${escaped(text)}</text>`;
}

/** Throws for what is neither text nor a colour: it would be missing from the picture. */
function linesOf(output: string): readonly (readonly Run[])[] {
  let style = PLAIN;
  // What was erased to be drawn over is gone: progress.
  const left = output.replaceAll('\r\n', '\n').replaceAll(ERASED, '');
  const lines = left.replace(/\n+$/, '').split('\n');
  return lines.map((line) => {
    const runs: Run[] = [];
    let column = 0;
    for (const [, sgr, text = ''] of line.matchAll(/\u001b\[([\d;]*)m|([^\u001b]+|\u001b)/g)) {
      if (sgr !== undefined) {
        style = sgr.split(';').reduce((before, code) => styleAfter(before, Number(code)), style);
        continue;
      }
      if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) throw new Error(`${JSON.stringify(line)} moves the cursor`);
      // Blanks in front and behind need no element.
      const shown = text.trimEnd();
      const begin = shown.length - shown.trimStart().length;
      if (shown !== '') runs.push({ text: shown.slice(begin), style, column: column + begin });
      column += lengthOf(text);
    }
    return runs;
  });
}

function styleAfter(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, faint: true };
  if (code === 22) return { ...style, bold: false, faint: false };
  if (code === 39) return { ...style, colour: undefined };
  const colour = code >= 90 ? code - 60 : code;
  if (COLOURS[colour] === undefined) throw new Error(`SGR ${code} is neither bold nor a colour of text`);
  return { ...style, colour };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
