import { bindLibc } from './libc.ts';
// eslint-disable-next-line @nx/enforce-module-boundaries -- a module of the runtime, no package
import { FFIType } from 'bun:ffi';

/** membarrier(2): no wrapper in the C library. */
const SYS_MEMBARRIER: Partial<Record<string, number>> = { x64: 324, arm64: 283 };
/** MEMBARRIER_CMD_GLOBAL (linux/membarrier.h): the kernel calls synchronize_rcu(). */
const MEMBARRIER_CMD_GLOBAL = 1;

const { i32, i64, i64_fast } = FFIType;
let syscall: ((number: number, command: number, flags: number, cpu: number) => number | bigint) | undefined;

/**
 * Blocks (some 10 ms) until every packet that was inside a netfilter hook at the moment of the call has left it: the
 * kernel runs the chains of one hook, to the confirmation of a new flow at its end, in one RCU read section. False
 * where the kernel or a seccomp profile refuses (membarrier is not there on kernels with nohz_full).
 */
export function awaitPacketsInFlight(): boolean {
  const number = SYS_MEMBARRIER[process.arch];
  if (number === undefined) return false;
  syscall ??= bindLibc({ syscall: { args: [i64, i32, i32, i32], returns: i64_fast } }).syscall;
  return Number(syscall(number, MEMBARRIER_CMD_GLOBAL, 0, 0)) === 0;
}
