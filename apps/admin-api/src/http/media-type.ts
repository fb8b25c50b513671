/** Content-Type and Accept, read strictly: what is not understood is refused, never guessed. */

/**
 * `application/json` with at most `charset=utf-8`, and nothing else. Parameters, tabs, commas and doubled headers are
 * how validation has been got around (CVE-2025-32442, CVE-2026-25223 of fastify).
 */
export function isJsonContentType(header: string | undefined): boolean {
  return header !== undefined && /^application\/json(?: *; *charset=(?:utf-8|"utf-8"))?$/i.test(header);
}

/** RFC 9110 §12.5.1: whether a client takes the media type. An absent header takes all. */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  const [type = ''] = mediaType.split('/');
  // The most exact range that fits decides.
  for (const wanted of [mediaType, `${type}/*`, '*/*']) {
    const range = header
      .split(',')
      .map(parseRange)
      .find(({ name }) => name === wanted);
    if (range !== undefined) return range.weight > 0;
  }
  return false;
}

function parseRange(text: string): { readonly name: string; readonly weight: number } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))?.replace(/^q\s*=\s*/, '');
  return { name, weight: weight === undefined ? 1 : Number.parseFloat(weight) || 0 };
}
