import { check, libc } from './libc.ts';

const SOL_SOCKET = 1;
/** asm-generic/socket.h */
const SO_PEERCRED = 17;

/** Who connected a unix socket, as the kernel noted it then (unix(7), struct ucred). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Of a connected unix socket's descriptor. Throws LinuxError. */
export function peerCredentials(fd: number): PeerCredentials {
  const credentials = new Uint32Array(3);
  const length = new Uint32Array([credentials.byteLength]);
  check('getsockopt', libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), 'SO_PEERCRED');
  const [pid = 0, uid = 0, gid = 0] = credentials;
  return { pid, uid, gid };
}
