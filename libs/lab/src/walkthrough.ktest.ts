/**
 * The walk-through in docs/ cannot rot: its commands are run one after the other, and what they print is compared with
 * what stands there. CANAL_UPDATE_DOCS=1 writes it there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { LabError } from './lab-error.ts';
import { removeLab } from './lab.ts';
import { shippedBinary, TEST_STATE_ROOT, testLabName } from './testing/test-lab.ts';

const FILE = new URL('../../../docs/walkthrough.md', import.meta.url);
const UPDATE = process.env['CANAL_UPDATE_DOCS'] === '1';
/** What the agent repairs is there within a second. */
const REPAIR_DEADLINE_MS = 3000;

const lab = testLabName();

interface Step {
  readonly command: string;
  /** Undefined where the text does not show what is printed (```sh). */
  readonly output: string | undefined;
  /** Line of the file, from 1. */
  readonly line: number;
}

const text = readFileSync(FILE, 'utf8');
const steps = [...readSteps(text)];

afterAll(async () => {
  await removeLab(lab, { stateRoot: TEST_STATE_ROOT }).catch((error: unknown) => {
    if (!(error instanceof LabError && error.code === 'not-found')) throw error;
  });
});

describe('docs/walkthrough.md', () => {
  test('has the commands of all backends and modes', () => {
    const commands = steps.map((step) => step.command);
    for (const wanted of ['--pod-mode bridge', '--direct-routing', '--backend host-gw', '--ip-family ipv6']) {
      expect(commands.some((command) => command.includes(wanted))).toBe(true);
    }
  });

  test.skipIf(UPDATE).each(steps.map((step) => [`line ${step.line}: ${step.command}`, step] as const))(
    '%s',
    async (_name, { command, output }) => {
      if (output === undefined) {
        await run(command);
        return;
      }
      const end = performance.now() + REPAIR_DEADLINE_MS;
      let printed = await run(command);
      while (comparable(printed) !== comparable(output) && isRepeatable(command) && performance.now() < end) {
        await sleep(50);
        printed = await run(command);
      }
      expect(comparable(printed)).toBe(comparable(output));
    },
  );

  test.runIf(UPDATE)(
    'is written anew',
    async () => {
      const outputs: string[] = [];
      for (const { command, output } of steps) {
        const printed = await run(command);
        if (output !== undefined) outputs.push(shown(printed));
        // What was removed is repaired before the next command looks.
        await sleep(1000);
      }
      writeFileSync(FILE, replaceOutputs(text, outputs));
    },
    120_000,
  );
});

/** Looking twice does no harm; making, removing and ending does. */
function isRepeatable(command: string): boolean {
  return !/ lab (?:up|down)| del /.test(command);
}

async function run(command: string): Promise<string> {
  const [program, ...args] = command.split(' ');
  if (program !== 'canalctl') throw new Error(`${command}: the walk-through runs canalctl alone`);
  const child = Bun.spawn([shippedBinary(), 'canalctl', ...args], {
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB: lab, CANAL_LAB_STATE_ROOT: TEST_STATE_ROOT },
    stdout: 'pipe',
    stderr: 'ignore',
  });
  const printed = await new Response(child.stdout).text();
  expect({ command, exitCode: await child.exited }).toEqual({ command, exitCode: 0 });
  return printed;
}

function* readSteps(markdown: string): Generator<Step> {
  let fence = '';
  let step: { command: string; output: string; line: number } | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('```')) {
      if (step !== undefined) yield step;
      step = undefined;
      fence = line;
    } else if (fence === '```sh' && line.startsWith('canalctl ')) {
      yield { command: line, output: undefined, line: index + 1 };
    } else if (fence === '```console' && line.startsWith('$ ')) {
      if (step !== undefined) yield step;
      step = { command: line.slice(2), output: '', line: index + 1 };
    } else if (step !== undefined) {
      step.output += `${line}\n`;
    }
  }
}

function replaceOutputs(markdown: string, outputs: readonly string[]): string {
  let next = 0;
  return markdown.replaceAll(/```console\n([^]*?)```/g, (_block, body: string) => {
    const commands = body.split('\n').filter((line) => line.startsWith('$ '));
    return `\`\`\`console\n${commands.map((line) => `${line}\n${outputs[next++] ?? ''}`).join('')}\`\`\``;
  });
}

/** As the file has it: the lab under its usual name, no blanks at the ends of lines. */
function shown(printed: string): string {
  return printed
    .replaceAll(` --name ${lab}`, '')
    .replaceAll(lab, 'lab')
    .replaceAll(TEST_STATE_ROOT, '/run/canal-lab')
    .replaceAll(/[ \t]+$/gm, '');
}

const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC'],
  [/\bcnl[0-9a-f]{11}\b/g, 'cnlHASH'],
  [/@if\d+/g, '@ifN'],
  [/^\d+: /gm, 'N: '],
  [/\b(?:REACHABLE|DELAY|STALE|PROBE)\b/g, 'REACHABLE'],
  [/\bpid \d+, \d+ MB/g, 'PROCESS'],
  [/(?<![\d.])\d+\.\d{1,2}(?![\d.])/g, 'TIME'],
  [/counter packets \d+ bytes \d+/g, 'COUNTER'],
  [/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'WHEN'],
  [/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UID'],
  [/resourceVersion: "\d+"/g, 'VERSION'],
  [/ {2,}/g, ' '],
];

/** What must be equal: without what the kernel draws at random, and in any order, which some tables do not promise. */
function comparable(printed: string): string {
  let result = shown(printed);
  for (const [pattern, name] of VARYING) result = result.replaceAll(pattern, name);
  return result
    .split('\n')
    .filter((line) => line !== '')
    .sort()
    .join('\n');
}
