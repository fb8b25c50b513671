/** Colours of a terminal (ECMA-48 SGR), for text that is printable already. */
const CODES = { red: 31, green: 32, yellow: 33 } as const;

export type Paint = keyof typeof CODES;

export function paint(text: string, colour: Paint | undefined, colours: boolean): string {
  return colours && colour !== undefined ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}
