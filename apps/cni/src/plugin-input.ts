import type { Kernel } from './kernel.ts';

export interface PluginInput {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Called only by verbs that have a configuration. */
  readonly readStdin: () => string;
  readonly kernel: Kernel;
}

export interface PluginAnswer {
  readonly exitCode: number;
  readonly stdout: string;
}
