export { changeCluster } from './change-cluster.ts';
export { type PacketPlaces, packetPlaces, randomPacket } from './random-packet.ts';
export { podOf } from './pod-of.ts';
export { Random } from './random.ts';
export { randomCluster } from './random-cluster.ts';
export { shrinkCluster } from './shrink-cluster.ts';
export { peersBy, podsBy, portsBy, rulesBy, type Spoil } from './spoil.ts';
