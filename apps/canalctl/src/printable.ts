/**
 * Text of others (object names, labels, error texts of servers, log lines) on a terminal: a control sequence in it could
 * move the cursor, retitle the window or hide what stands before it, and so can characters that turn the direction.
 */
// C0 but tab and newline, DEL and C1; zero-width and direction marks; line and paragraph separators; the tag block.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/** The text with every such character as `\u{…}`. Newlines stay: use `printableLine` where they must not. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for one line: newlines and tabs are shown too. */
export function printableLine(text: string): string {
  return printable(text.replaceAll('\n', '\\n').replaceAll('\t', '\\t'));
}

/** JSON for a terminal or a program: escapes what JSON.stringify leaves, so that both read the same strings. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, (found) =>
    [...Array(found.length).keys()].map((i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}
