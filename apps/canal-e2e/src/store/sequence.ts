/** Label whose value counts the writes of an object. */
export const SEQUENCE_LABEL = 'sequence';

/** What a follower of these objects must show: the same text for the same objects, however it came to know them. */
export function digestOf(state: ReadonlyMap<string, number>): string {
  const lines = [...state].map(([key, value]) => `${key}=${String(value)}`);
  return Bun.hash(lines.sort().join('\n')).toString(16);
}
