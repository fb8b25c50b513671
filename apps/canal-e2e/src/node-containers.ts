/** What containerd says of a node's sandboxes and containers, by its own client: a second opinion to canal's records. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeControl } from './world.ts';

export interface NodeContainer {
  readonly id: string;
  readonly kind: 'sandbox' | 'container';
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  /** Name in the pod's spec; empty for a sandbox. */
  readonly name: string;
  /** Process id on this machine; undefined when it does not run. */
  readonly pid?: number;
}

export interface ContainerFilter {
  /** Of the pod. */
  readonly namespace?: string;
  readonly kind?: NodeContainer['kind'];
}

const LABEL = {
  kind: 'io.cri-containerd.kind',
  namespace: 'io.kubernetes.pod.namespace',
  pod: 'io.kubernetes.pod.name',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
} as const;

const SOCKET = '/run/containerd/containerd.sock';

/** Arguments: the client, then a filter. Tasks first, then one JSON document a container, each after a record separator. */
const SCRIPT = `ctr="$1"; shift
"$ctr" -a ${SOCKET} -n k8s.io tasks ls
for id in $("$ctr" -a ${SOCKET} -n k8s.io containers ls -q "$@"); do
  printf '\\036'; "$ctr" -a ${SOCKET} -n k8s.io containers info "$id" || true
done`;

export async function listContainers(
  control: NodeControl,
  node: string,
  { namespace, kind }: ContainerFilter = {},
): Promise<readonly NodeContainer[]> {
  const filter = [
    ...(namespace === undefined ? [] : [`labels."${LABEL.namespace}"==${namespace}`]),
    ...(kind === undefined ? [] : [`labels."${LABEL.kind}"==${kind}`]),
  ].join(',');
  const command = ['sh', '-c', SCRIPT, 'containers', control.program('ctr'), ...(filter === '' ? [] : [filter])];
  const { stdout } = await control.exec(node, command, { timeoutMs: 60_000 });
  const [tasks = '', ...documents] = stdout.split('\x1e');
  const pids = runningTasks(tasks);
  return documents.flatMap((text) => parseContainer(text, pids));
}

/** `TASK PID STATUS`, one line each. */
function runningTasks(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [id = '', pid = '', status] = line.trim().split(/\s+/u);
      return status === 'RUNNING' ? [[id, Number(pid)] as const] : [];
    }),
  );
}

/** Empty for one that went away while the list was made, and for what is no pod's. */
function parseContainer(text: string, pids: ReadonlyMap<string, number>): NodeContainer[] {
  if (text.trim() === '') return [];
  const { ID: id, Labels: labels = {} } = JSON.parse(text) as { ID: string; Labels?: Record<string, string> };
  const kind = labels[LABEL.kind];
  if (kind !== 'sandbox' && kind !== 'container') return [];
  const pid = pids.get(id);
  return [
    {
      id,
      kind,
      namespace: labels[LABEL.namespace] ?? '',
      pod: labels[LABEL.pod] ?? '',
      podUid: labels[LABEL.uid] ?? '',
      name: labels[LABEL.container] ?? '',
      ...(pid !== undefined && { pid }),
    },
  ];
}

/** The running sandbox of a pod; throws when it has none. */
export async function sandboxOf(
  control: NodeControl,
  { node, namespace, name }: { readonly node: string; readonly namespace: string; readonly name: string },
): Promise<NodeContainer & { readonly pid: number }> {
  const sandboxes = await listContainers(control, node, { namespace, kind: 'sandbox' });
  for (const sandbox of sandboxes) {
    const { pid } = sandbox;
    if (sandbox.pod === name && pid !== undefined) return { ...sandbox, pid };
  }
  throw new Error(`pod ${namespace}/${name} has no running sandbox on ${node}`);
}

/** Gives a node an image that another one has, as a registry would. */
export async function copyImage(control: NodeControl, image: string, from: string, to: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'canal-e2e-image-'));
  try {
    const tar = join(folder, 'image.tar');
    const command = [control.program('ctr'), '-a', SOCKET, '-n', 'k8s.io', 'images', 'export', tar, image];
    await control.exec(from, command, { timeoutMs: 60_000 });
    await control.loadImage(tar, to);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
