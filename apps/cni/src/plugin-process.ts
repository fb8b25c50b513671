/** A plugin as a process. Start-up is part of a pod's start: node:fs is all of the runtime that is touched. */
import { readSync, writeSync } from 'node:fs';
import { SPEC_VERSIONS } from '@canal/cni-spec';
import { LINUX_KERNEL } from './kernel.ts';
import type { PluginAnswer, PluginInput } from './plugin-input.ts';

const [STDIN, STDOUT, STDERR] = [0, 1, 2];

/** Far above any configuration; a runtime that sends more is broken, and we do not hold it in memory. */
const STDIN_MAX_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 16 * 1024;

/** `run` never throws. `name` is for a person who starts the plugin by hand. Gives the exit code. */
export function runPluginProcess(name: string, run: (input: PluginInput) => PluginAnswer): number {
  const variables = process.env;
  const command = variables['CNI_COMMAND'] ?? '';
  if (command === '') {
    writeWhole(STDERR, about(name));
    return 0;
  }
  let input: string | undefined;
  const readInput = (): string => (input ??= readStdin());
  const { exitCode, stdout } = run({ variables, readStdin: readInput, kernel: LINUX_KERNEL });
  try {
    writeWhole(STDOUT, stdout);
    return exitCode;
  } catch {
    // The runtime has gone away. An ADD that nobody heard of would never be cleaned up, so it is taken back.
    if (command === 'ADD' && exitCode === 0) {
      run({ variables: { ...variables, CNI_COMMAND: 'DEL' }, readStdin: readInput, kernel: LINUX_KERNEL });
    }
    return 1;
  }
}

function about(name: string): string {
  return `${name}: CNI plugin. A container runtime calls it with CNI_COMMAND and a network configuration on stdin.
CNI protocol versions supported: ${SPEC_VERSIONS.join(', ')}
`;
}

/** All of stdin. From a terminal it ends by control-D. */
function readStdin(): string {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK_BYTES);
  let text = '';
  for (let total = 0; ;) {
    const length = readChunk(chunk);
    if (length === 0) return text + decoder.decode();
    total += length;
    if (total > STDIN_MAX_BYTES) throw new RangeError(`more than ${STDIN_MAX_BYTES} bytes`);
    text += decoder.decode(chunk.subarray(0, length), { stream: true });
  }
}

/** Longest silence of a runtime that gave us a pipe that does not block. */
const STDIN_TIMEOUT_MS = 10_000;

function readChunk(chunk: Uint8Array): number {
  const deadline = performance.now() + STDIN_TIMEOUT_MS;
  for (;;) {
    try {
      return readSync(STDIN, chunk);
    } catch (error) {
      const isEmpty = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isEmpty || performance.now() > deadline) throw error;
      Bun.sleepSync(1);
    }
  }
}

/** console and process.stdout would cost more than the whole of STATUS at start. */
function writeWhole(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
