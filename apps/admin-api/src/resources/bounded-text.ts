/** Texts of others as answers hold them: unchanged, but not longer than said. */

export function boundedText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Half of a pair of surrogates would be no text.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(maxLength - 2)) ? maxLength - 2 : maxLength - 1;
  return `${text.slice(0, end)}…`;
}
