/** Tests a program without root: the kernel is a function from requests to answers. */
import { createNetlinkConnection, findLink, linkCodec, RTM } from 'netlink-ts';
import { createFakePeer } from 'netlink-ts/testing';

const ENODEV = 19;
const kernel = createFakePeer((request, replies) => {
  const { name } = linkCodec.decode(request.source, request.payloadStart, request.payloadEnd);
  if (name === 'eth0') replies.object(RTM.NEWLINK, linkCodec, { index: 2, name, mtu: 1500 });
  else replies.error(ENODEV, { message: 'no such device here' });
});

using connection = createNetlinkConnection(kernel.open);
console.log('eth0 has MTU', findLink(connection, { name: 'eth0' })?.mtu);
console.log('eth1 is', findLink(connection, { name: 'eth1' }));

kernel.failNext('receive', 'ENOBUFS');
try {
  findLink(connection, { name: 'eth0' });
} catch (error) {
  console.log(String(error));
}
