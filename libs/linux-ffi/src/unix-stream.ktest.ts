import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectUnixStream } from './unix-stream.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

/** In a process of its own: this one blocks while it waits for an answer. */
const SERVER = `
const [path, kind] = process.argv.slice(1);
Bun.listen({ unix: path, socket: {
  open(socket) { if (kind === 'close') socket.end(); },
  data(socket, data) { if (kind === 'echo') socket.write(data); },
} });
console.log('listening');
`;

let folder: string;
const children: Bun.Subprocess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'canal-unix-'));
});
afterAll(() => {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true });
});

async function serve(kind: 'echo' | 'silent' | 'close'): Promise<string> {
  const path = join(folder, kind);
  const child = Bun.spawn([process.execPath, '-e', SERVER, path, kind], { stdout: 'pipe' });
  children.push(child);
  await child.stdout.getReader().read();
  return path;
}

describe('a stream to a unix socket', () => {
  test('takes and gives bytes', async () => {
    using stream = connectUnixStream(await serve('echo'), 1000);
    const buffer = new Uint8Array(64);
    stream.send(bytes('hello'));
    expect(text(buffer.subarray(0, stream.receive(buffer, 5000)))).toBe('hello');
    stream.send(bytes('again'));
    expect(text(buffer.subarray(0, stream.receive(buffer, 5000)))).toBe('again');
  });

  test('waits no longer than it is told to', async () => {
    using stream = connectUnixStream(await serve('silent'), 1000);
    const started = performance.now();
    expect(stream.receive(new Uint8Array(8), 30.5)).toBeUndefined();
    expect(performance.now() - started).toBeGreaterThan(25);
    expect(stream.receive(new Uint8Array(8), 0)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('a side that closes is an end, and sending to it an error by name', async () => {
    using stream = connectUnixStream(await serve('close'), 1000);
    expect(stream.receive(new Uint8Array(8), 5000)).toBe(0);
    expect(() => stream.send(bytes('x'))).toThrow('EPIPE');
  });

  test('where nobody listens', () => {
    const stale = join(folder, 'stale');
    Bun.listen({ unix: stale, socket: { data: () => undefined } }).stop(true);
    // Bun removes the file as it stops: one that a killed server left behind refuses.
    const left = Bun.spawnSync([
      'python3',
      '-c',
      'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])',
      stale,
    ]);
    expect(left.exitCode).toBe(0);
    expect(() => connectUnixStream(stale, 1000)).toThrow('ECONNREFUSED');
    expect(() => connectUnixStream(join(folder, 'none'), 1000)).toThrow('ENOENT');
    expect(() => connectUnixStream(`/${'a'.repeat(107)}`, 1000)).toThrow('ENAMETOOLONG');
    expect(() => connectUnixStream('/a\0b', 1000)).toThrow('NUL');
  });

  test('a listener that takes nobody bounds the connect', () => {
    const path = join(folder, 'full');
    const server = Bun.spawn([
      'python3',
      '-uc',
      'import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0); print("x"); time.sleep(60)',
      path,
    ]);
    children.push(server);
    const end = performance.now() + 10_000;
    const streams: Disposable[] = [];
    try {
      // The queue of a listener holds one more than it was asked for.
      while (streams.length < 1 && performance.now() < end) {
        try {
          streams.push(connectUnixStream(path, 100));
        } catch {
          Bun.sleepSync(10);
        }
      }
      const started = performance.now();
      expect(() => connectUnixStream(path, 50)).toThrow('EAGAIN');
      expect(performance.now() - started).toBeLessThan(5000);
    } finally {
      for (const stream of streams) stream[Symbol.dispose]();
    }
  });
});
