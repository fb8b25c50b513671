import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { kubeconfigText } from './kubeconfig.ts';
import { programPath } from './programs.ts';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends kubectl (SIGINT) when its output contains this. */
  readonly until?: string;
  /** Called with all output so far, as more comes. */
  readonly onOutput?: (stdout: string) => void;
}

/** The real kubectl, with a home of its own and one server. */
export class Kubectl {
  readonly #program: string;
  readonly #home = mkdtempSync(join(tmpdir(), `canal-kubectl-${String(process.pid)}-`));

  private constructor(program: string, kubeconfig: string) {
    this.#program = program;
    writeFileSync(join(this.#home, 'kubeconfig'), kubeconfig, { mode: 0o600 });
  }

  static async create(server: {
    readonly url: string;
    readonly ca: string;
    readonly adminToken: string;
  }): Promise<Kubectl> {
    return new Kubectl(await programPath('kubectl'), kubeconfigText(server));
  }

  /** Runs one command line, split at blanks, and gives what it wrote; an exit code other than 0 fails with what it said. */
  async ok(commandLine: string, options: KubectlOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(commandLine.split(' '), options);
    if (code !== 0) throw new Error(`kubectl ${commandLine}: exit code ${String(code)}\n${stderr}${stdout}`);
    return stdout;
  }

  async run(
    args: readonly string[],
    { stdin = '', env = {}, until, onOutput }: KubectlOptions = {},
  ): Promise<Finished> {
    const child = spawn(this.#program, [`--kubeconfig=${join(this.#home, 'kubeconfig')}`, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: this.#home, ...env },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (bytes: Buffer) => {
      output.stdout += bytes.toString();
      onOutput?.(output.stdout);
      if (until !== undefined && output.stdout.includes(until)) child.kill('SIGINT');
    });
    child.stderr.on('data', (bytes: Buffer) => {
      output.stderr += bytes.toString();
    });
    // It may have ended before it read everything.
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve(status ?? -1));
    });
    clearTimeout(timer);
    return { code, ...output };
  }

  close(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }
}

const TIMEOUT_MS = 20_000;
