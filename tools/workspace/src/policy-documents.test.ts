/** docs/policy-agent.md names what the program has: flags, metrics, operations, events; no more and no less. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parsePolicyAgentCommand } from '@canal/config';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const AGENT = join(ROOT, 'apps/policy-agent/src');
const document = readFileSync(join(ROOT, 'docs/policy-agent.md'), 'utf8');

/** What both agents do and tell alike. */
const SHARED = [
  'libs/node-state/src/mounted-directories.ts',
  'libs/telemetry/src/common-metrics.ts',
  'libs/telemetry/src/daemon.ts',
]
  .map((path) => join(ROOT, path))
  .filter((path) => existsSync(path));

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

/** Name and default of each, as the program's own help has them; empty where it names none. */
function flagsOf(): readonly { readonly name: string; readonly initial: string }[] {
  const command = parsePolicyAgentCommand(['--help'], {});
  const help = command.type === 'help' ? command.text : '';
  const flags = [...help.matchAll(/^ {2}--([\w-]+)[^\n]*\n {6}([^\n]*)\n {6}CANAL_POLICY_\w+$/gm)];
  return flags
    .map(([, name = '', text = '']) => ({ name, initial: / \(default (.*)\)$/.exec(text)?.[1] ?? '' }))
    .filter(({ name }) => name !== 'help' && name !== 'version');
}

test('flags', () => {
  const names = flagsOf()
    .map(({ name }) => name)
    .sort();
  expect(names.length).toBeGreaterThan(10);
  expect([...rowsOf('Flags')].sort()).toEqual(names.map((name) => `--${name}`));
});

test('what each flag is by itself', () => {
  const table = new Map(flagRows());
  expect([...table.keys()].sort()).toEqual([...rowsOf('Flags')].sort());
  for (const { name, initial } of flagsOf().filter((flag) => flag.initial !== '')) {
    expect([name, table.get(`--${name}`)]).toEqual([name, initial]);
  }
});

/** Each flag with the default in the second cell at its place. */
function flagRows(): readonly (readonly [string, string | undefined])[] {
  const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  return [...section('Flags').matchAll(/^\| (`--[^|]*)\|([^|]*)\|/gm)].flatMap(([, names = '', defaults = '']) =>
    codes(names).map((name, index) => [name, codes(defaults)[index]] as const),
  );
}

test('metrics', () => {
  const names = found(agentSource, /name: '(canal_\w+)'/g);
  expect(names.length).toBeGreaterThan(15);
  const told = rowsOf('Metrics').map((name) => name.replace(/^…/, 'canal_policy_flows'));
  expect([...told].sort()).toEqual(names);
});

test('labels of the metrics', () => {
  const labelled = [...agentSource.matchAll(/name: '(canal_\w+)',([^}]*)\}/g)].map(
    ([, name = '', rest = '']) => [name, /labelNames: \[([^\]]*)\]/.exec(rest)?.[1] ?? ''] as const,
  );
  expect(labelled.length).toBeGreaterThan(15);
  const rows = [...section('Metrics').matchAll(/^\| (`canal_[^|]*)\|([^|]*)\|/gm)];
  const cells = new Map(
    rows.flatMap(([, names = '', labels = '']) => found(names, /`(canal_\w+)`/g).map((name) => [name, labels])),
  );
  for (const [name, labels] of labelled) {
    if (name === 'canal_policy_flows_mended_total') continue; // In the row of those that were cut.
    expect([name, found(cells.get(name) ?? '', /`(\w+)`/g)]).toEqual([name, found(labels, /'(\w+)'/g)]);
  }
});

test('events', () => {
  const literal = found(agentSource, /(?:reason|event): '([A-Z]\w+)'/g);
  const constants = found(agentSource, /event: ([A-Z_]{2,})\b/g).map((name) => {
    return new RegExp(`const ${name} = '(\\w+)'`).exec(agentSource)?.[1] ?? name;
  });
  const names = [...new Set([...literal, ...constants])].sort();
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

test('reasons of explanations and of flow records', () => {
  const union = (path: string, name: string): readonly string[] => {
    const source = readFileSync(join(ROOT, path), 'utf8');
    const text = source.slice(source.indexOf(name) + name.length);
    return found(text.slice(0, text.indexOf(';')), /\| '([\w-]+)'/g);
  };
  const [, explained = '', recorded = ''] =
    /Reasons in an explanation: ([^]*?)\. Reasons in flow records: ([^]*?)\.\n/.exec(document) ?? [];
  const told = (text: string): readonly string[] => found(text, /`([\w-]+)`/g);
  expect(told(explained)).toEqual(union('libs/policy-compile/src/explanation.ts', 'readonly reason:'));
  expect(told(recorded)).toEqual(union('libs/kernel-port/src/policy-kernel.ts', 'VerdictReason ='));
});

test('exit codes of the agent, and its words in the log', () => {
  const [, told = ''] = /Exit codes: ([^]*?)\n\n/.exec(document) ?? [];
  expect(found(told, /(?:^|; )(\d) /g)).toEqual(found(agentSource, /^const EXIT_\w+ = (\d+);/gm));
  const words = [...section('Log').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
  expect(words.length).toBeGreaterThan(3);
  for (const text of words) expect(agentSource).toContain(text);
});

test('exit codes of canalctl: its help and docs/policy.md have those that it gives', () => {
  const source = readFileSync(join(ROOT, 'apps/canalctl/src/exit-code.ts'), 'utf8');
  const given = found(source, /^ {2}\w+: (\d+),$/gm);
  expect(given).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8']);
  expect(found(source, /^ {2}(\d): '\w/gm)).toEqual(given);
  const policy = readFileSync(join(ROOT, 'docs/policy.md'), 'utf8');
  expect(found(policy, /^\| (\d) +\|/gm)).toEqual(given);
});
