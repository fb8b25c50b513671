import type { NamedPort } from '@canal/model';

/** Equal texts are equal lists. */
export function portListText(ports: readonly NamedPort[]): string {
  return ports.length === 0 ? '' : ports.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`).join(',');
}
