/** docs/policy-agent.md names what the program has: flags, metrics, operations, events; no more and no less. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const AGENT = join(ROOT, 'apps/policy-agent/src');
const document = readFileSync(join(ROOT, 'docs/policy-agent.md'), 'utf8');

/** Both agents watch the host's directories alike. */
const SHARED = join(ROOT, 'libs/node-state/src/mounted-directories.ts');

const agentSource = readdirSync(AGENT)
  .filter((name) => name.endsWith('.ts') && !name.includes('test'))
  .map((name) => join(AGENT, name))
  .concat(SHARED)
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

function section(title: string): string {
  return document.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
}

/** First cells of the section's tables, what is code in them. */
function rowsOf(title: string): readonly string[] {
  return [...section(title).matchAll(/^\| (`[^|]*?) *\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code),
  );
}

function found(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort();
}

test('flags', () => {
  const flags = readFileSync(join(ROOT, 'libs/config/src/policy-agent-flags.ts'), 'utf8');
  const names = found(flags, /name: '([\w-]+)'/g).filter((name) => name !== 'help' && name !== 'version');
  expect(names.length).toBeGreaterThan(10);
  expect([...rowsOf('Flags')].sort()).toEqual(names.map((name) => `--${name}`));
});

test('metrics', () => {
  const names = found(agentSource, /name: '(canal_\w+)'/g);
  expect(names.length).toBeGreaterThan(15);
  const told = rowsOf('Metrics').map((name) => name.replace(/^…/, 'canal_policy_flows'));
  expect([...told].sort()).toEqual(names);
});

test('events', () => {
  const names = found(agentSource, /(?:reason|event): '([A-Z]\w+)'/g);
  expect(names.length).toBeGreaterThan(5);
  expect([...rowsOf('Events')].sort()).toEqual(names);
});

test('operations and error codes', () => {
  const messages = readFileSync(join(ROOT, 'libs/agent-protocol/src/messages.ts'), 'utf8');
  const codes = messages.slice(messages.indexOf('AgentErrorCode ='), messages.indexOf('export interface FlowRecord'));
  expect([...rowsOf('Socket')].sort()).toEqual(
    [...found(messages, /readonly op: '([\w-]+)'/g), ...found(codes, /\| '([\w-]+)'/g)].sort(),
  );
});
