import { join } from 'node:path';
import { formatIp, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';

const MODULE = join(import.meta.dirname, 'daemon.ts');
const LOOPBACK = unwrap(parseIp('127.0.0.1'));

/** A process whose work is this code, with `daemon` in its hands. */
function start(work: string, options: object = {}) {
  const settings = { name: 'thing', leaves: 'all stays', logLevel: 'info', warnings: ['careful'], ...options };
  const code = `
    import { runDaemon } from ${JSON.stringify(MODULE)};
    process.exit(await runDaemon(${JSON.stringify(settings)}, async (daemon) => { ${work} }));`;
  const child = Bun.spawn([process.execPath, '-e', code], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  const lines = new Response(child.stderr).text().then((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; msg: string }),
  );
  return { child, lines };
}

test('work that fails: exit code 1, and what stays', async () => {
  const { child, lines } = start('throw new Error("broken");');
  expect(await child.exited).toBe(1);
  expect(await lines).toMatchObject([
    { level: 'info', msg: 'canal thing starts' },
    { level: 'warn', warning: 'careful', msg: 'configuration' },
    { level: 'error', error: { message: 'broken' }, msg: 'thing ends; all stays' },
  ]);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it at once with 0, whatever is under way', async (signal) => {
  const { child, lines } = start('console.log("at work"); await new Promise(() => setInterval(() => {}, 1e9));');
  await child.stdout.getReader().read();
  child.kill(signal);
  expect(await child.exited).toBe(0);
  expect((await lines).at(-1)).toMatchObject({ level: 'info', signal, msg: 'stopping; all stays' });
});

test('probes from the start: alive and not ready, then as the work answers', async () => {
  using free = Bun.serve({ hostname: formatIp(LOOPBACK), port: 0, fetch: () => new Response() });
  const port = free.port ?? 0;
  await free.stop(true);
  const { child } = start(
    `daemon.waitsFor('a friend'); console.log('waits');
    for await (const _ of Bun.stdin.stream()) break;
    daemon.answerBy({ healthz: () => ({ ok: false, text: 'ill' }), readyz: () => ({ ok: true, text: 'ok' }) });
    console.log('answers'); await Bun.sleep(1e6);`,
    { health: { ip: LOOPBACK, port } },
  );
  const output = child.stdout.getReader();
  const ask = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  await output.read();
  expect([await ask('/livez'), await ask('/readyz')]).toEqual(['200 a friend', '503 a friend']);
  await child.stdin.write('go on');
  await child.stdin.flush();
  await output.read();
  expect([await ask('/livez'), await ask('/readyz')]).toEqual(['503 ill', '200 ok']);
  child.kill('SIGTERM');
  await child.exited;
});
