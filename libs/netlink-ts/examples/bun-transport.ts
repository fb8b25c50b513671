/**
 * A transport for Bun in a page: what `netlink-ts` needs from the platform, over the C library. On Node the same calls
 * go through koffi or a native addon. Run by the other examples.
 */
// eslint-disable-next-line no-restricted-imports -- shown to readers who have no platform library yet
import { dlopen, FFIType, read } from 'bun:ffi';
import { errnoName, type NetlinkTransport, type NflogTransport } from 'netlink-ts';

const { i32, u32, u64, ptr, i64_fast } = FFIType;
const { symbols: libc } = dlopen('libc.so.6', {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, ptr, u32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
  getsockopt: { args: [i32, i32, i32, ptr, ptr], returns: i32 },
  getsockname: { args: [i32, ptr, ptr], returns: i32 },
  send: { args: [i32, ptr, u64, i32], returns: i64_fast },
  recv: { args: [i32, ptr, u64, i32], returns: i64_fast },
  close: { args: [i32], returns: i32 },
  __errno_location: { args: [], returns: ptr },
});

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0o2000003;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_PEEK_TRUNC = 0x22;

/** Errors carry an errno name in `code`: that is how a connection knows a lost reply from a closed socket. */
function check(operation: string, result: number | bigint): number {
  if (result >= 0) return Number(result);
  const code = errnoName(read.i32(libc.__errno_location() as Parameters<typeof read.i32>[0], 0));
  throw Object.assign(new Error(`${operation}: ${code}`), { code });
}

/** A netlink socket of the process's network namespace. Returns the descriptor and its port id. */
function openSocket(flags: number, protocol: number): { fd: number; portId: number } {
  const fd = check('socket', libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC | flags, protocol));
  const address = new Uint32Array([AF_NETLINK, 0, 0]);
  check('bind', libc.bind(fd, address, 12));
  check('getsockname', libc.getsockname(fd, address, new Uint32Array([12])));
  for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
    libc.setsockopt(fd, SOL_NETLINK, option, new Int32Array([1]), 4);
  }
  return { fd, portId: address[1] ?? 0 };
}

function bufferBytes(fd: number, option: number): number {
  const value = new Int32Array(1);
  check('getsockopt', libc.getsockopt(fd, SOL_SOCKET, option, value, new Uint32Array([4])));
  return value[0] ?? 0;
}

/** `protocol` is NETLINK_ROUTE, or NETLINK_NETFILTER (12) for nf_tables. */
export function openTransport(protocol = 0): NetlinkTransport {
  const { fd, portId } = openSocket(0, protocol);
  let buffer = new Uint8Array(65_536);
  return {
    portId,
    sendBufferBytes: bufferBytes(fd, SO_SNDBUF),
    receiveBufferBytes: bufferBytes(fd, SO_RCVBUF),
    send: (datagram) => void check('send', libc.send(fd, datagram, datagram.length, 0)),
    receive: () => {
      const length = check('recv', libc.recv(fd, buffer, 0, MSG_PEEK_TRUNC));
      if (length > buffer.length) buffer = new Uint8Array(length);
      return buffer.subarray(0, check('recv', libc.recv(fd, buffer, buffer.length, 0)));
    },
    [Symbol.dispose]: () => void libc.close(fd),
  };
}

/** For the multicast groups of a monitor; packets of NFLOG come to the socket that asked for them, without groups. */
export function openEventTransport(groups: readonly number[], protocol = 0): NflogTransport {
  const { fd } = openSocket(SOCK_NONBLOCK, protocol);
  for (const group of groups) {
    check('join', libc.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, new Int32Array([group]), 4));
  }
  const reader = Bun.file(fd).stream().getReader();
  return {
    read: async () => (await reader.read()).value,
    send: (datagram) => void check('send', libc.send(fd, datagram, datagram.length, 0)),
    [Symbol.dispose]: () => {
      void reader.cancel().catch(() => undefined);
      libc.close(fd);
    },
  };
}
