export { changeCluster } from './change-cluster.ts';
export { type PacketPlaces, packetPlaces, randomPacket } from './random-packet.ts';
export { Random } from './random.ts';
export { randomCluster } from './random-cluster.ts';
export { shrinkCluster } from './shrink-cluster.ts';
