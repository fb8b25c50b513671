import { spawn } from 'node:child_process';
import { withNetns } from '@canal/linux-ffi';

export interface PluginCallInput {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export interface PluginCallOutput {
  /** Null when a signal ended the process. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts one plugin and waits for its end. */
export type PluginExec = (input: PluginCallInput, signal?: AbortSignal) => Promise<PluginCallOutput>;

export interface PluginExecOptions {
  /** Path of the namespace to start plugins in: the node, where that is a namespace. */
  readonly netns?: string;
  readonly cwd?: string;
}

/** Plugins get the variables that a runtime gives and PATH: nothing else of this process' environment. */
export function createPluginExec({ netns, cwd = '/' }: PluginExecOptions = {}): PluginExec {
  return (input, signal) =>
    new Promise((resolve, reject) => {
      const env = { PATH: process.env['PATH'] ?? '', ...input.env };
      const start = () =>
        spawn(input.path, [], { env, cwd, stdio: ['pipe', 'pipe', 'pipe'], ...(signal && { signal }) });
      const child = netns === undefined ? start() : withNetns(netns, start);
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
      // A plugin may end without reading: EPIPE is its right.
      child.stdin.on('error', () => undefined).end(input.stdin);
      child.on('error', reject);
      child.on('close', (exitCode) => {
        resolve({ exitCode, stdout, stderr });
      });
    });
}
