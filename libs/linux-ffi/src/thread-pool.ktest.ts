import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestNetns } from '@canal/testing';
import { describe, expect, test } from 'vitest';

/** Runs the body in a process of its own, whose pool has no threads yet; gives the namespaces that its threads end up in. */
function namespacesOfThreads(netns: string, body: string): number {
  const script = join(import.meta.dirname, `threads-${process.pid}.ts`);
  writeFileSync(
    script,
    `import { readdirSync, readlinkSync } from 'node:fs';
     import { stat } from 'node:fs/promises';
     import { warmThreadPool, withNetns } from './netns.ts';
     const netns = ${JSON.stringify(netns)};
     const work = () => Promise.all(Array.from({ length: 64 }, () => stat('/')));
     ${body}
     await work();
     const namespaces = new Set(readdirSync('/proc/self/task').map((task) => readlinkSync('/proc/self/task/' + task + '/ns/net')));
     process.exit(namespaces.size);`,
  );
  try {
    return Bun.spawnSync([process.execPath, script]).exitCode;
  } finally {
    rmSync(script);
  }
}

describe('threads of the runtime', () => {
  test('a cold pool that is asked for work inside stays inside: why the rule and the warming exist', () => {
    using netns = createTestNetns('pool');
    // Whether the pool needs a new thread is a matter of timing: it must happen at least once in many runs.
    const seen = new Set<number>();
    for (let run = 0; run < 30 && !seen.has(2); run++) {
      seen.add(namespacesOfThreads(netns.path, `let p; withNetns(netns, () => { p = work(); }); await p;`));
    }
    expect([...seen]).toContain(2);
  });

  test('a warmed one stays outside', () => {
    using netns = createTestNetns('pool');
    const body = `await warmThreadPool(); let p; withNetns(netns, () => { p = work(); }); await p;`;
    expect(namespacesOfThreads(netns.path, body)).toBe(1);
  });

  test.each([
    { name: 'a child process', body: `const c = withNetns(netns, () => Bun.spawn(['true'])); await c.exited;` },
    {
      name: 'a server',
      body: `const s = withNetns(netns, () => Bun.serve({ port: 0, fetch: () => new Response() })); await s.stop(true);`,
    },
    { name: 'a synchronous child process', body: `withNetns(netns, () => Bun.spawnSync(['true']));` },
  ])('$name started inside takes no thread with it, cold as it is', ({ body }) => {
    using netns = createTestNetns('pool');
    expect(namespacesOfThreads(netns.path, body)).toBe(1);
  });
});

test('NETLINK_TS_DEBUG=1 shows the wire on standard error, nothing else does', () => {
  const script = join(import.meta.dirname, `debug-${process.pid}.ts`);
  writeFileSync(
    script,
    `import { openNetlinkConnection } from './netlink-connection.ts';
     import { findLinkIndex } from 'netlink-ts';
     findLinkIndex(openNetlinkConnection(), 'lo');`,
  );
  try {
    const stderr = (value: string): string =>
      Bun.spawnSync([process.execPath, script], { env: { ...process.env, NETLINK_TS_DEBUG: value } }).stderr.toString();
    expect(stderr('1')).toMatch(/^> len=\d+ type=18 flags=0x1 seq=1 port=0\n {4}.*\n< len=\d+ type=16 /s);
    expect(stderr('0')).toBe('');
  } finally {
    rmSync(script);
  }
});
