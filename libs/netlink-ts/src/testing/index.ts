export { bytesFromHex, capturedMessages } from './captured.ts';
export { createFakeEventPeer, type FakeEventPeer } from './fake-event-peer.ts';
export { createFakePeer, encodeReply, type FakePeer, type FakePeerOptions, type FakeReplies } from './fake-peer.ts';
