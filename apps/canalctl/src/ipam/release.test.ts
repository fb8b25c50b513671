import { afterAll, expect, test } from 'vitest';
import { type Answers, Refusal, startAdminApi } from '../admin/admin-api.fixture.ts';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { EXIT } from '../exit-code.ts';

const api = startAdminApi({});
afterAll(() => api.close());
const release = (...words: readonly string[]): Promise<Ran> => runCommand(['ipam', 'release', ...words, ...api.flags]);

const RELEASED = { address: '10.244.1.7', node: 'n1', containerId: 'gone', pod: { namespace: 'shop', name: 'web' } };
const answering = (applied: boolean): Answers => ({
  releaseAddress: ({ path, query }) => {
    expect([path['address'], query.get('dryRun')]).toEqual(['10.244.1.7', String(!applied)]);
    return { ...RELEASED, applied, detail: '10.244.1.7 of container gone, whose sandbox is gone' };
  },
});

test('what was released', async () => {
  api.use(answering(true));
  expect(await release('10.244.1.7')).toEqual({
    exitCode: EXIT.ok,
    err: '',
    out: '10.244.1.7 on n1 released: 10.244.1.7 of container gone, whose sandbox is gone\n',
  });
  expect(JSON.parse((await release('10.244.1.7', '-o', 'json')).out)).toMatchObject({ ...RELEASED, applied: true });
});

test('a trial', async () => {
  api.use(answering(false));
  const { exitCode, out } = await release('10.244.1.7', '--dry-run');
  expect([exitCode, out]).toEqual([EXIT.ok, '10.244.1.7 on n1 would be released (dry run)\n']);
});

test.each([
  ['conflict', EXIT.failed],
  ['not-found', EXIT.notFound],
] as const)('%s: it stays, with the reason and the next step', async (name, exitCode) => {
  api.use({
    releaseAddress: () => {
      throw new Refusal(name, 'its sandbox is there');
    },
  });
  const ran = await release('10.244.1.7');
  expect(ran).toMatchObject({ exitCode, out: '' });
  expect(ran.err).toMatch(/^error: .*its sandbox is there\n {2}"canalctl ipam check" shows what is leaked\n$/);
});

test('what is no address asks nobody', async () => {
  api.use({});
  expect(await release('web-0')).toMatchObject({ exitCode: EXIT.usage, out: '' });
});
