/** What `npm publish libs/NAME/dist` would publish, installed in an empty folder and used from plain Node. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'canal-published-'));

beforeAll(() => {
  for (const name of ['net-types', 'netlink-ts']) {
    const build = spawnSync('node', ['tools/nx/build-package.mjs', `libs/${name}`], { cwd: root, encoding: 'utf8' });
    expect(build.status, build.stdout + build.stderr).toBe(0);
    cpSync(`${root}libs/${name}/dist`, join(folder, 'node_modules', name), { recursive: true });
  }
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('netlink-ts runs on plain Node with net-types alone', () => {
  const program = `
    import { routeCodec, routeDestination, routeTo, WireSource, WireWriter } from 'netlink-ts';
    import { createFakePeer } from 'netlink-ts/testing';
    import { formatCidr, parseCidr, unwrap } from 'net-types';
    const writer = new WireWriter();
    routeCodec.encode(writer, routeTo(unwrap(parseCidr('10.244.2.0/24'))));
    const bytes = writer.written.slice();
    const route = routeCodec.decode(new WireSource(bytes), 0, bytes.length);
    console.log(formatCidr(routeDestination(route)), typeof createFakePeer);
  `;
  writeFileSync(join(folder, 'program.mjs'), program);
  const result = spawnSync('node', ['program.mjs'], { cwd: folder, encoding: 'utf8' });
  expect(result.stderr).toBe('');
  expect(result.stdout).toBe('10.244.2.0/24 function\n');
});
