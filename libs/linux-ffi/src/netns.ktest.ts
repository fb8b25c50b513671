import {
  closeSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createNetns, netnsIdentity, openNewNetns, removeNetns, warmThreadPool, withNetns } from './netns.ts';

const made: string[] = [];
function freshPath(): string {
  const path = `/run/netns/ffi-${process.pid}-${made.length}`;
  made.push(path);
  return path;
}
afterEach(() => {
  for (const path of made.splice(0)) removeNetns(path);
});

/** Of the loopback, and nobody else's on the machine. */
const ADDRESS = '127.80.90.1';

const ownNetns = (): string => readlinkSync('/proc/thread-self/ns/net');
const netnsOfThreads = (): Set<string> =>
  new Set(
    readdirSync('/proc/self/task').flatMap((thread) => {
      try {
        return [readlinkSync(`/proc/self/task/${thread}/ns/net`)];
      } catch {
        // It has ended since.
        return [];
      }
    }),
  );

describe('createNetns and removeNetns', () => {
  test('ip sees the namespace and works in it; removal leaves nothing', () => {
    const path = freshPath();
    createNetns(path);
    expect(Bun.spawnSync(['ip', 'netns', 'exec', path.slice(11), 'ip', 'link', 'show', 'lo']).exitCode).toBe(0);
    removeNetns(path);
    expect(existsSync(path)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(path);
  });

  test('the process is where it was before', () => {
    const before = ownNetns();
    createNetns(freshPath());
    expect(ownNetns()).toBe(before);
  });

  test('a taken name is EEXIST, and what is there stays', () => {
    const path = freshPath();
    createNetns(path);
    const identity = netnsIdentity(path);
    expect(() => createNetns(path)).toThrow(expect.objectContaining({ code: 'EEXIST', context: path }));
    expect(netnsIdentity(path)).toBe(identity);
  });

  test('removal may be repeated, and takes the plain file that a crash left', () => {
    const path = freshPath();
    removeNetns(path);
    writeFileSync(path, '');
    expect(netnsIdentity(path)).toBeUndefined();
    removeNetns(path);
    expect(existsSync(path)).toBe(false);
  });
});

describe('netnsIdentity', () => {
  test('tells namespaces apart and knows them again', () => {
    const path = freshPath();
    createNetns(path);
    expect(netnsIdentity(path)).not.toBe(netnsIdentity());
    expect(withNetns(path, () => netnsIdentity())).toBe(netnsIdentity(path));
    expect(netnsIdentity(freshPath())).toBeUndefined();
  });
});

describe('withNetns', () => {
  test('runs inside and comes back, also after an error and when nested', () => {
    const [outer, inner] = [freshPath(), freshPath()];
    createNetns(outer);
    createNetns(inner);
    const before = ownNetns();
    withNetns(outer, () => {
      const here = ownNetns();
      expect(here).not.toBe(before);
      withNetns(inner, () => expect(ownNetns()).not.toBe(here));
      expect(ownNetns()).toBe(here);
    });
    expect(() =>
      withNetns(outer, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(ownNetns()).toBe(before);
  });

  test('what is no namespace is refused by name', () => {
    expect(() => withNetns('/etc/hostname', () => 0)).toThrow(
      expect.objectContaining({ code: 'EINVAL', operation: 'setns', context: '/etc/hostname' }),
    );
  });

  test('leaks no descriptor', () => {
    const path = freshPath();
    createNetns(path);
    const count = (): number => readdirSync('/proc/self/fd').length;
    withNetns(path, () => 0);
    const before = count();
    for (let round = 0; round < 100; round++) withNetns(path, () => 0);
    expect(count()).toBe(before);
  });

  test('a child process starts inside', async () => {
    const path = freshPath();
    createNetns(path);
    const inside = withNetns(path, () => ownNetns());
    const child = withNetns(path, () => Bun.spawn(['readlink', '/proc/self/ns/net'], { stdout: 'pipe' }));
    expect((await new Response(child.stdout).text()).trim()).toBe(inside);
    const sync = withNetns(path, () => Bun.spawnSync(['readlink', '/proc/self/ns/net']));
    expect(sync.stdout.toString().trim()).toBe(inside);
  });

  test('a server listens inside, and only there, over TCP, UDP and TLS-less HTTP', async () => {
    const path = freshPath();
    createNetns(path);
    withNetns(path, () => Bun.spawnSync(['ip', 'link', 'set', 'lo', 'up']));
    const server = withNetns(path, () =>
      Bun.serve({ port: 0, hostname: ADDRESS, fetch: () => new Response('from inside') }),
    );
    try {
      const listening = withNetns(path, () => Bun.spawnSync(['ss', '-Hltn']).stdout.toString());
      expect(listening).toContain(`:${server.port}`);
      expect(Bun.spawnSync(['ss', '-Hltn']).stdout.toString()).not.toContain(`${ADDRESS}:${server.port}`);
      const curl = withNetns(path, () =>
        Bun.spawn(['curl', '-s', `http://${ADDRESS}:${server.port}/`], { stdout: 'pipe' }),
      );
      expect(await new Response(curl.stdout).text()).toBe('from inside');
    } finally {
      await server.stop(true);
    }
  });

  test('threads of a warmed pool stay outside, even if a callback breaks the rule and starts asynchronous work', async () => {
    const path = freshPath();
    createNetns(path);
    await warmThreadPool();
    let pending: Promise<unknown> = Promise.resolve();
    withNetns(path, () => {
      pending = Promise.all(Array.from({ length: 64 }, () => stat('/')));
    });
    await pending;
    expect([...netnsOfThreads()]).toEqual([ownNetns()]);
  });

  test('a promise is refused by the type', () => {
    const asynchronous = (): Promise<number> => Promise.resolve(1);
    // @ts-expect-error what is asynchronous would go on outside
    const misuse = (): unknown => withNetns('/proc/self/ns/net', asynchronous);
    expect(misuse).toBeTypeOf('function');
  });
});

test('a process that cannot return to its namespace ends at once, whatever catches errors', () => {
  // The descriptor of the own namespace is closed behind the library's back: setns back must fail.
  const directory = mkdtempSync(join(tmpdir(), 'netns-'));
  const path = freshPath();
  createNetns(path);
  try {
    const script = join(import.meta.dirname, `lost-${process.pid}.ts`);
    writeFileSync(
      script,
      `import { closeSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
       import { withNetns } from './netns.ts';
       const own = readlinkSync('/proc/thread-self/ns/net');
       try {
         withNetns(${JSON.stringify(path)}, () => {
           for (const fd of readdirSync('/proc/self/fd')) {
             try { if (readlinkSync('/proc/self/fd/' + fd) === own) closeSync(Number(fd)); } catch {}
           }
         });
       } catch {} finally { writeFileSync(${JSON.stringify(join(directory, 'reached'))}, ''); }`,
    );
    try {
      const child = Bun.spawnSync([process.execPath, script]);
      expect(child.exitCode).toBe(70);
      expect(child.stderr.toString()).toContain('cannot return to the own network namespace');
      expect(existsSync(join(directory, 'reached'))).toBe(false);
    } finally {
      rmSync(script);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a namespace without a name is another one, and this thread stays where it was', () => {
  const before = ownNetns();
  const netns = openNewNetns();
  try {
    const devices = withNetns(netns, () => readFileSync('/proc/thread-self/net/dev', 'utf8').match(/^ *\w+:/gm));
    expect(devices?.map((name) => name.trim())).toEqual(['lo:']);
    expect(netnsIdentity(netns)).not.toBe(netnsIdentity());
  } finally {
    closeSync(netns);
  }
  expect(ownNetns()).toBe(before);
});
