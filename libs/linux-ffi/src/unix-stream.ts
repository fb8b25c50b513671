/** A stream to a unix socket, synchronously: for short-lived programs, which would pay more for node:net than for the answer. */
import { lastErrno, libc, retryOnSignal } from './libc.ts';
import { LinuxError } from './linux-error.ts';
import { closeFd, openSocket, setReceiveTimeout, setSendTimeout, SOCK } from './socket.ts';

export interface UnixStream extends Disposable {
  /** All of it. Throws LinuxError: `EPIPE` when the other side has closed, `EAGAIN` when it does not read. */
  send(bytes: Uint8Array): void;
  /** Number of bytes written into the buffer, 0: the other side has closed. Undefined when nothing came in time. */
  receive(into: Uint8Array, timeoutMs: number): number | undefined;
}

const AF_UNIX = 1;
/** sizeof(struct sockaddr_un) and its family (linux/un.h). */
const SOCKADDR_UN_BYTES = 110;
const FAMILY_BYTES = 2;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;
const ENAMETOOLONG = 36;

/**
 * Throws LinuxError: `ENOENT` without such a socket, `ECONNREFUSED` when nobody listens, `EAGAIN` when who listens does
 * not take it within the time, which also bounds each send.
 */
export function connectUnixStream(path: string, timeoutMs: number): UnixStream {
  const address = encodeAddress(path);
  const fd = openSocket(AF_UNIX, SOCK.STREAM, 0);
  try {
    setSendTimeout(fd, timeoutMs);
    retryOnSignal('connect', () => libc().connect(fd, address, address.length), path);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return {
    send(bytes) {
      for (let sent = 0; sent < bytes.length;) {
        const rest = bytes.subarray(sent);
        sent += retryOnSignal('send', () => libc().send(fd, rest, rest.length, MSG_NOSIGNAL), path);
      }
    },
    receive(into, receiveTimeoutMs) {
      setReceiveTimeout(fd, receiveTimeoutMs);
      const received = libc().recv(fd, into, into.length, 0);
      if (received >= 0) return Number(received);
      const errno = lastErrno();
      // A signal counts as an early end of the time: who waits for longer asks again.
      if (errno === EAGAIN || errno === EINTR) return undefined;
      throw new LinuxError('recv', errno, path);
    },
    [Symbol.dispose]: () => closeFd(fd),
  };
}

/** struct sockaddr_un: family, then the path with its NUL. */
function encodeAddress(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (bytes.includes(0)) throw new TypeError('the path of a socket contains a NUL byte');
  if (FAMILY_BYTES + bytes.length >= SOCKADDR_UN_BYTES) throw new LinuxError('connect', ENAMETOOLONG, path);
  const address = new Uint8Array(FAMILY_BYTES + bytes.length + 1);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(bytes, FAMILY_BYTES);
  return address;
}
