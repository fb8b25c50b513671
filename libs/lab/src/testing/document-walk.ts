/**
 * Documents cannot rot: their commands are run one after the other, and what they print is compared with what stands
 * there. CANAL_UPDATE_DOCS=1 writes it there. Commands are lines of `sh` blocks (output is not shown) and lines of
 * `console` blocks that begin with a dollar (output follows); a `yaml` block that begins with `# NAME.yaml` is that file.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LabError } from '../lab-error.ts';
import { removeLab } from '../lab.ts';
import { shippedBinary, TEST_STATE_ROOT, testLabName } from './test-lab.ts';

const UPDATE = process.env['CANAL_UPDATE_DOCS'] === '1';
/** What the agents repair or enforce is so within a second; a machine that is busy takes longer. */
const EFFECT_DEADLINE_MS = 5000;
/** `canalctl lab probe` without an answer: shown, and not well. */
const EXIT_UNHEALTHY = 5;

interface Step {
  readonly command: string;
  /** Undefined where the text does not show what is printed (```sh). */
  readonly output: string | undefined;
  /** Line of the file, from 1. */
  readonly line: number;
}

/** Makes a test of each command of the file, on a lab of its own that is removed afterwards. */
export function walkDocument(file: URL): { readonly commands: readonly string[] } {
  const lab = testLabName();
  const text = readFileSync(file, 'utf8');
  const steps = [...readSteps(text)];
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'canal-document-'));
    for (const [, body = '', name = ''] of text.matchAll(/^```yaml\n(# ([\w-]+\.yaml)\n[^]*?)^```$/gm)) {
      writeFileSync(join(directory, name), body);
    }
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await removeLab(lab, { stateRoot: TEST_STATE_ROOT }).catch((error: unknown) => {
      if (!(error instanceof LabError && error.code === 'not-found')) throw error;
    });
  });

  if (UPDATE) rewrite();
  else compare();

  function compare(): void {
    test.each(steps.map((step) => [`line ${step.line}: ${step.command}`, step] as const))(
      '%s',
      async (_name, { command, output }) => {
        if (output === undefined) {
          await run(command, lab, directory);
          return;
        }
        const wanted = comparable(output, lab);
        const end = performance.now() + EFFECT_DEADLINE_MS;
        let printed = await run(command, lab, directory);
        while (comparable(printed, lab) !== wanted && isRepeatable(command) && performance.now() < end) {
          await sleep(50);
          printed = await run(command, lab, directory);
        }
        expect(comparable(printed, lab)).toBe(wanted);
      },
    );
  }

  function rewrite(): void {
    test('is written anew', async () => {
      const outputs: string[] = [];
      for (const { command, output } of steps) {
        const printed = await run(command, lab, directory);
        if (output !== undefined) outputs.push(shown(printed, lab));
        // What was changed has its effect before the next command looks.
        await sleep(1000);
      }
      writeFileSync(file, replaceOutputs(text, outputs));
    }, 300_000);
  }

  return { commands: steps.map(({ command }) => command) };
}

/** Looking twice does no harm; making, removing and ending does. */
function isRepeatable(command: string): boolean {
  return !/ lab (?:up|down|apply|delete|pod add)\b| del /.test(command);
}

async function run(command: string, lab: string, directory: string): Promise<string> {
  const [program, ...args] = command.replaceAll('--lab lab', `--lab ${lab}`).split(' ');
  if (program !== 'canalctl') throw new Error(`${command}: a document's commands are canalctl alone`);
  const child = Bun.spawn([shippedBinary(), 'canalctl', ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB: lab, CANAL_LAB_STATE_ROOT: TEST_STATE_ROOT },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [printed, complaint, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const unanswered = code === EXIT_UNHEALTHY && command.startsWith('canalctl lab probe ');
  if (code !== 0 && !unanswered) throw new Error(`${command}: exit code ${code}\n${complaint}`);
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
function shown(printed: string, lab: string): string {
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
  [/https:\/\/127\.0\.0\.1:\d+/g, 'URL'],
  [/(?<![\d.])\d+\.\d{1,2}(?![\d.])/g, 'TIME'],
  [/counter packets \d+ bytes \d+/g, 'COUNTER'],
  [/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'WHEN'],
  [/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UID'],
  [/resourceVersion: "\d+"/g, 'VERSION'],
  [/ {2,}/g, ' '],
];

/** What must be equal: without what the kernel draws at random, and in any order, which some tables do not promise. */
function comparable(printed: string, lab: string): string {
  let result = shown(printed, lab);
  for (const [pattern, name] of VARYING) result = result.replaceAll(pattern, name);
  return result
    .split('\n')
    .filter((line) => line !== '')
    .sort()
    .join('\n');
}
