import { err, ok, type ParseError, type Result } from 'net-types';

/**
 * A regular expression in Go's syntax (RE2). What people write for interfaces and addresses is the same in JavaScript;
 * the differences that occur in practice are rewritten, the rest is an error.
 */
export function parseGoRegExp(text: string): Result<RegExp, ParseError> {
  const ignoreCase = text.startsWith('(?i)');
  const body = (ignoreCase ? text.slice('(?i)'.length) : text)
    .replaceAll('(?P<', '(?<')
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$');
  try {
    return ok(new RegExp(body, ignoreCase ? 'i' : ''));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return err({ input: text, expected: `a regular expression (${reason})` });
  }
}
