import { buildPrograms, type Programs } from '@canal/cluster';

let built: Promise<Programs> | undefined;

/** Path of a program of the newest Kubernetes that tools/cluster pins; it is built when it is not there (needs Go). */
export async function programPath(name: keyof Programs['path']): Promise<string> {
  built ??= buildPrograms({ kubernetes: '1.36', progress: (line) => process.stderr.write(`${line}\n`) });
  return (await built).path[name];
}
