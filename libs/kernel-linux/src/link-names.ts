import { type Link, listLinks, type NetlinkConnection } from 'netlink-ts';
import { type InterfaceName, parseInterfaceName } from 'net-types';

/**
 * Names and indices of the links as they are at one moment. Indices are given anew when a device is made again, so a
 * table is asked for just before its use and dropped after it.
 */
export class LinkNames {
  readonly #indexByName = new Map<InterfaceName, number>();
  readonly #nameByIndex = new Map<number, InterfaceName>();

  constructor(links: Iterable<Link>) {
    for (const link of links) {
      const name = linkName(link);
      if (name === undefined) continue;
      this.#indexByName.set(name, link.index);
      this.#nameByIndex.set(link.index, name);
    }
  }

  static read(connection: NetlinkConnection): LinkNames {
    return new LinkNames(listLinks(connection));
  }

  indexOf(name: InterfaceName): number | undefined {
    return this.#indexByName.get(name);
  }

  nameOf(index: number | undefined): InterfaceName | undefined {
    return index === undefined ? undefined : this.#nameByIndex.get(index);
  }
}

/** undefined for a name that canal does not handle: one with characters that no tool would give it. */
export function linkName(link: Link): InterfaceName | undefined {
  const name = parseInterfaceName(link.name ?? '');
  return name.ok ? name.value : undefined;
}
