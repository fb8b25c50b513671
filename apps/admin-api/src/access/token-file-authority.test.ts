import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessOf } from './access-rules.ts';
import { createTokenFileAuthority } from './token-file-authority.ts';
import { parseTokenTable } from './token-table.ts';
import { ROUTES } from '@canal/admin-schema';

const TOKEN = 'canary-token-0123456789abcdef';
const OTHER = 'canary-other-0123456789abcdef';

describe('the text', () => {
  test.each([
    ['lines', `# who\n\n${TOKEN} ann view\n ${OTHER},bob,admin \n`],
    [
      'JSON',
      JSON.stringify([
        { token: TOKEN, user: 'ann', role: 'view' },
        { token: OTHER, user: 'bob', role: 'admin' },
      ]),
    ],
  ])('%s', (_name, text) => {
    const table = parseTokenTable(text);
    expect(table.ok && [...table.entries.values()]).toEqual([
      { user: 'ann', role: 'view' },
      { user: 'bob', role: 'admin' },
    ]);
    expect(table.ok && [...table.entries.keys()].join()).not.toContain('canary');
  });

  test.each([
    ['a role that is none', `${TOKEN} ann root`, 'entry 1, role'],
    ['no role', `${OTHER} bob view\n${TOKEN} ann`, 'entry 2, role'],
    ['too much', `${TOKEN} ann view canary-more`, 'entry 1'],
    ['a short token', 'canary ann view', 'at least 24'],
    ['a strange token', `${TOKEN}§ ann view`, 'entry 1, token'],
    ['the same token twice', `${TOKEN} ann view\n${TOKEN} bob admin`, 'same token'],
    ['broken JSON', `[{"token":"${TOKEN}"`, 'no JSON'],
    ['another JSON', `[{"token":"${TOKEN}","user":"ann","role":"view","password":"canary-1"}]`, 'entry 1'],
  ])('%s is refused without a word of what is in it', (_name, text, expected) => {
    const table = parseTokenTable(text);
    if (table.ok) throw new Error('it must be refused');
    expect(table.problem).toContain(expected);
    expect(table.problem).not.toContain('canary');
  });
});

describe('the file', () => {
  let directory: string;
  let path: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'canal-tokens-'));
    path = join(directory, 'tokens');
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  const world = () => {
    const [clock, log] = [createFakeClock(), createCapturedLogger()];
    return { clock, log, authority: createTokenFileAuthority(path, { clock, log }) };
  };

  test('is read again when it changes; what it does not say clearly nobody may do', async () => {
    writeFileSync(path, `${TOKEN} ann view\n`, { mode: 0o600 });
    const { clock, log, authority } = world();
    const user = async (token: string) => (await authority.authenticate(token))?.user;
    expect([await user(TOKEN), await user(OTHER)]).toEqual(['ann', undefined]);

    writeFileSync(path, `${OTHER} bob admin\n`);
    await clock.advance(1_000);
    expect([await user(TOKEN), await user(OTHER)]).toEqual([undefined, 'bob']);

    writeFileSync(path, `${OTHER} bob admiral\n`);
    await clock.advance(1_000);
    await expect(user(OTHER)).rejects.toMatchObject({ problem: 'unavailable' });
    rmSync(path);
    await clock.advance(1_000);
    await expect(user(OTHER)).rejects.toMatchObject({ problem: 'unavailable' });
    expect(log.messages('error')).toHaveLength(2);
    expect(JSON.stringify(log.records)).not.toContain('canary');
  });

  test.each([0o604, 0o644, 0o602, 0o601])('with mode %o lets nobody in', async (mode) => {
    writeFileSync(path, `${TOKEN} ann view\n`);
    chmodSync(path, mode);
    const { log, authority } = world();
    await expect(authority.authenticate(TOKEN)).rejects.toMatchObject({ problem: 'unavailable' });
    expect(JSON.stringify(log.records)).toContain('chmod o=');
  });

  test.each([0o600, 0o640, 0o400])('with mode %o is taken', async (mode) => {
    writeFileSync(path, `${TOKEN} ann view\n`);
    chmodSync(path, mode);
    expect(await world().authority.authenticate(TOKEN)).toMatchObject({ user: 'ann', role: 'view' });
  });

  test('says by role what may be done', async () => {
    chmodSync(path, 0o600);
    const { authority } = world();
    const subject = await authority.authenticate(TOKEN);
    if (subject === undefined) throw new Error('the token is known');
    const access = accessOf(ROUTES[0]);
    expect(await authority.isAllowed(subject, access, 'view')).toBe(true);
    expect(await authority.isAllowed(subject, access, 'operate')).toBe(false);
  });
});
