/** chroot(2) and execve(2): this process becomes a program of another root, with that root's C library. */
import { bindLibc, check, cString, libc } from './libc.ts';
// eslint-disable-next-line @nx/enforce-module-boundaries -- a module of the runtime, no package
import { FFIType, ptr } from 'bun:ffi';

const { i32, ptr: pointer } = FFIType;

/** Bound apart from the others: the CNI plugin, which never needs them, pays for each symbol of that list. */
const SYMBOLS = {
  chroot: { args: [pointer], returns: i32 },
  chdir: { args: [pointer], returns: i32 },
  execve: { args: [pointer, pointer, pointer], returns: i32 },
} as const;

/**
 * Never returns when it works. Throws LinuxError: `chroot` EPERM without CAP_SYS_CHROOT, `execve` ENOENT when the program
 * or its loader is missing, EACCES on a noexec mount, ENOEXEC for another processor. After `chroot` there is no way back:
 * call it in a process made for this.
 */
export function execInRoot(root: string, argv: readonly string[], env: Readonly<Record<string, string>>): never {
  const [path = ''] = argv;
  // Bound before the calls, so that reading errno is the next thing that happens.
  libc();
  const calls = bindLibc(SYMBOLS);
  const args = new StringVector(argv);
  const variables = new StringVector(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  check('chroot', calls.chroot(cString(root)), root);
  check('chdir', calls.chdir(cString('/')), '/');
  check('execve', calls.execve(cString(path), args.pointers, variables.pointers), path);
  throw new Error('execve returned');
}

/** `char *const []`: the texts are held as long as this object is. */
class StringVector {
  readonly pointers: BigUint64Array;
  readonly #texts: readonly Uint8Array[];

  constructor(texts: readonly string[]) {
    this.#texts = texts.map(cString);
    this.pointers = new BigUint64Array([...this.#texts.map((text) => BigInt(ptr(text))), 0n]);
  }
}
