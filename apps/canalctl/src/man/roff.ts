/**
 * Text for the man macros (groff_man(7), groff_char(7)). Escaped is what a formatter would take for a request or set as
 * another character: a hyphen for a minus, typographic quotes for straight ones.
 */
const GLYPHS: ReadonlyMap<string, string> = new Map([
  ['\\', '\\(rs'],
  ['-', '\\-'],
  ["'", '\\(aq'],
  ['"', '\\(dq'],
  ['`', '\\(ga'],
  ['^', '\\(ha'],
  ['~', '\\(ti'],
]);

/** The text, of one line or more, as it is to be read: copied from a terminal it is the same again. */
export function roff(text: string): string {
  return text
    .replace(/[-\\'"`^~]|[^\n -~]/gu, (found) => GLYPHS.get(found) ?? `\\[u${codePoint(found)}]`)
    .replace(/^\./gm, '\\&.');
}

/** In upper-case hexadecimal, four digits or more. */
function codePoint(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** A term with what it means beneath, indented. Both are roff already. */
export function item(term: string, meaning: string): string {
  return `.TP\n${term}\n${meaning}\n`;
}

/** Text as help prints it: paragraphs, and examples where each line is indented. */
export function prose(text: string): string {
  return text
    .split(/\n{2,}/)
    .map((block) => block.replace(/^\n+|\s+$/g, ''))
    .filter((block) => block !== '')
    .map((block) => {
      const lines = block.split('\n');
      const isExample = lines.every((line) => line.startsWith('  '));
      if (!isExample) return `.PP\n${roff(block)}\n`;
      return `.PP\n.RS 4\n.nf\n${roff(lines.map((line) => line.trim()).join('\n'))}\n.fi\n.RE\n`;
    })
    .join('');
}
