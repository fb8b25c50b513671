/** Makes a veth pair, gives one end an address, and shows what the kernel says to a mistake. Needs root. */
import { parseInterfaceAddress, unwrap } from 'net-types';
import {
  addressInput,
  createNetlinkConnection,
  findLinkIndex,
  IFF,
  isExists,
  NetlinkError,
  newAddress,
  newLink,
  setLink,
} from 'netlink-ts';
import { openTransport } from './bun-transport.ts';

using connection = createNetlinkConnection(openTransport);
connection.execute(newLink({ name: 'left', mtu: 1400, info: { kind: 'veth', veth: { peer: { name: 'right' } } } }));
const index = findLinkIndex(connection, 'left') ?? 0;
connection.execute(setLink({ index, flags: IFF.UP, change: IFF.UP }));

const address = newAddress(addressInput(index, unwrap(parseInterfaceAddress('192.0.2.1/24'))));
connection.execute(address);
try {
  connection.execute(address);
} catch (error) {
  if (!(error instanceof NetlinkError) || !isExists(error)) throw error;
  console.log(error.message);
}
