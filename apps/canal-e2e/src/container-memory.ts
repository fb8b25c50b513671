/** Memory of the containers of a namespace's pods, by their processes. */
import { listContainers } from './node-containers.ts';
import type { NodeControl } from './world.ts';

export interface ContainerMemory {
  /** Name in the pod's spec. */
  readonly container: string;
  /** Resident set of its first process. */
  readonly rssMb: number;
}

export async function containerMemory(
  control: NodeControl,
  node: string,
  namespace: string,
): Promise<readonly ContainerMemory[]> {
  const containers = await listContainers(control, node, { namespace, kind: 'container' });
  const running = containers.filter(({ pid }) => pid !== undefined);
  if (running.length === 0) throw new Error(`no container of ${namespace} runs on ${node}`);
  return await Promise.all(
    running.map(async ({ name, pid }) => {
      const status = await Bun.file(`/proc/${pid ?? 0}/status`).text();
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      if (kilobytes === undefined) throw new Error(`process ${pid ?? 0} of ${name} has no VmRSS`);
      return { container: name, rssMb: Math.round(Number(kilobytes) / 1024) };
    }),
  );
}
