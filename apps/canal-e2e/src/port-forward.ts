/** `kubectl port-forward`: a port of a pod as one of this machine. Its way is the kubelet's, not the network that is judged. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { World } from './world.ts';

export interface PortForward {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly child: ChildProcess;
}

const FORWARD_MS = 15_000;

/** `target`: `pod/x`, `deployment/x`. Throws when nothing is forwarded in time. */
export async function openPortForward(
  world: World,
  namespace: string,
  target: string,
  targetPort: number,
): Promise<PortForward> {
  const args = ['port-forward', '--namespace', namespace, target, `:${targetPort}`];
  const [program = '', ...rest] = world.kubectlCommand(args);
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  const port = await new Promise<number | undefined>((resolve) => {
    const limit = setTimeout(() => child.kill('SIGKILL'), FORWARD_MS);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (found === undefined) return;
      clearTimeout(limit);
      resolve(Number(found));
    });
    child.once('close', () => {
      clearTimeout(limit);
      resolve(undefined);
    });
  });
  if (port !== undefined) return { port, child };
  throw new Error(`kubectl ${args.join(' ')} forwarded nothing: ${said.join('; ')}`);
}
