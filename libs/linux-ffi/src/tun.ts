/** TUN and TAP devices: packets of the kernel by file descriptor (linux/if_tun.h). */
import { closeSync, openSync } from 'node:fs';
import { check, libc } from './libc.ts';
import { type NetnsRef, withNetns } from './netns.ts';

export interface TunOptions {
  /** Device name; a pattern such as `tun%d` lets the kernel number it. At most 15 bytes. */
  readonly name: string;
  /** Packets of the network layer (tun, default) or Ethernet frames (tap). */
  readonly mode?: 'tun' | 'tap';
  /** Each packet carries struct virtio_net_hdr in front (offloads). */
  readonly vnetHeader?: boolean;
  /** Several descriptors may attach to the same device. */
  readonly multiQueue?: boolean;
  /** The device outlives its descriptors. */
  readonly persist?: boolean;
  /** Namespace to make the device in. Default: that of the process. */
  readonly netns?: NetnsRef;
}

/** A device and the descriptor that reads what the kernel sends to it. Disposing closes the descriptor. */
export interface Tun extends Disposable {
  readonly fd: number;
  readonly name: string;
}

const TUNSETIFF = 0x4004_54ca;
const TUNSETPERSIST = 0x4004_54cb;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

/** Makes the device, or attaches to the one of that name. The descriptor is non-blocking. */
export function openTun(options: TunOptions): Tun {
  const { name, netns } = options;
  if (Buffer.byteLength(name) >= IFNAMSIZ) throw new RangeError(`device name "${name}" has more than 15 bytes`);
  return netns === undefined ? attach(options) : withNetns(netns, () => attach(options));
}

function attach({ name, mode = 'tun', vnetHeader, multiQueue, persist }: TunOptions): Tun {
  const fd = openSync('/dev/net/tun', O_RDWR_NONBLOCK);
  try {
    // struct ifreq: char name[16]; short flags.
    const request = new Uint8Array(IFREQ_BYTES);
    request.set(Buffer.from(name));
    const flags = (mode === 'tun' ? IFF_TUN : IFF_TAP) | IFF_NO_PI;
    const extra = (vnetHeader === true ? IFF_VNET_HDR : 0) | (multiQueue === true ? IFF_MULTI_QUEUE : 0);
    new Uint16Array(request.buffer)[IFNAMSIZ / 2] = flags | extra;
    check('ioctl TUNSETIFF', libc().ioctl(fd, TUNSETIFF, request), name);
    // Takes its argument by value: a pointer-sized 1 or 0.
    if (persist === true) check('ioctl TUNSETPERSIST', libc().ioctl(fd, TUNSETPERSIST, 1n), name);
    const end = request.indexOf(0);
    return { fd, name: Buffer.from(request.subarray(0, end)).toString(), [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** O_RDWR | O_NONBLOCK | O_CLOEXEC. */
const O_RDWR_NONBLOCK = 0o2004002;
