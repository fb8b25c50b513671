/** Prints the devices and their addresses, as `ip -br addr` does. */
import { formatInterfaceAddress } from 'net-types';
import { createNetlinkConnection, IFF, interfaceAddressOf, listAddresses, listLinks } from 'netlink-ts';
import { openTransport } from './bun-transport.ts';

using connection = createNetlinkConnection(openTransport);
const addresses = listAddresses(connection);
for (const link of listLinks(connection)) {
  const own = addresses
    .filter(({ index }) => index === link.index)
    .map(interfaceAddressOf)
    .filter((address) => address !== undefined);
  const state = (link.flags & IFF.UP) === 0 ? 'DOWN' : 'UP';
  console.log(link.name, link.info?.kind ?? '', state, own.map(formatInterfaceAddress).join(' '));
}
