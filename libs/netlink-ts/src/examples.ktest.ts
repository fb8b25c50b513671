import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestNetns } from '@canal/testing';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '../examples');

/** What each example prints. A new example needs a line here. */
const OUTPUT: Record<string, string> = {
  'fake-kernel.ts': 'eth0 has MTU 1500\neth1 is undefined\nNetlinkError: get link: ENOBUFS (105): receive: ENOBUFS\n',
  'list-links.ts': 'lo  UP 127.0.0.1/8 ::1/128\n',
  'many-routes.ts': 'refused: 0 listed: 10000\nwithout the nexthop: 0\n',
  'nft-set.ts': '2 banned\nnot banned any more\njump to guests\n',
  'nft-table.ts': 'hide the lab meta cmp payload cmp counter masq\ndel demo\n',
  'veth-pair.ts': 'new address: EEXIST (17): ipv4: Address already assigned\n',
  'watch.ts': 'now: lo\nnew first\nnew stop\n',
};

const examples = readdirSync(FOLDER).filter((name) => name !== 'bun-transport.ts');

test.each(examples)('%s prints what the README promises', (name) => {
  using netns = createTestNetns('example');
  const { stdout, stderr, exitCode } = netns.exec([process.execPath, join(FOLDER, name)]);
  expect({ stdout, stderr, exitCode }).toEqual({ stdout: OUTPUT[name], stderr: '', exitCode: 0 });
});

test('the README shows each example, in its words', () => {
  const readme = readFileSync(join(FOLDER, '../README.md'), 'utf8');
  for (const name of [...examples, 'bun-transport.ts']) expect(readme).toContain(`examples/${name}`);
});
