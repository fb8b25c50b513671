/**
 * A process of its own that follows one kind as an agent does: in-cluster credentials, default options. What it costs is its
 * own then. Each line on stdin is answered by one line of JSON (`FollowerReport`). Arguments: the kind (`nodes`,
 * `configmaps`), a label selector, the service account's directory, the server's port.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { connectAgent, createKubeStore } from '@canal/store-kube';
import { CONFIG_MAPS, type KubeObject, NODES, type Parsed } from '@canal/store-port';

import type { FollowerReport } from './follower.ts';
import { REAL_CLOCK } from './real-clock.ts';
import { digestOf, SEQUENCE_LABEL } from './sequence.ts';

const [kind = '', labelSelector = '', directory = '', port = ''] = process.argv.slice(2);
const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port };
const connection = await connectAgent({ env, serviceAccountDirectory: directory }, REAL_CLOCK);
const store = createKubeStore({ connection, clock: REAL_CLOCK });

const state = new Map<string, number>();
const highest = new Map<string, number>();
const counts = { puts: 0, deletes: 0, inSync: 0, missed: 0, backwards: 0, disconnects: 0 };
let connected = false;
let lastError = '';

createInterface({ input: process.stdin }).on('line', () => {
  process.stdout.write(`${JSON.stringify(report())}\n`);
});
process.stdin.on('end', () => process.exit(0));

const selection = labelSelector === '' ? {} : { labelSelector };
const type = kind === 'nodes' ? NODES : CONFIG_MAPS;
for await (const event of store.watch(type, sequenceOf, selection, new AbortController().signal)) {
  switch (event.type) {
    case 'put':
      counts.puts += 1;
      if (event.parsed.ok) count(event.key, event.parsed.value);
      break;
    case 'delete':
      counts.deletes += 1;
      state.delete(event.key);
      break;
    case 'in-sync':
      counts.inSync += 1;
      break;
    case 'connection':
      connected = event.connected;
      if (!event.connected) {
        counts.disconnects += 1;
        lastError = event.error ?? '';
      }
  }
}

/** Each write of an object is numbered one higher than the one before. */
function count(key: string, value: number): void {
  const before = highest.get(key);
  if (before !== undefined && value > before + 1) counts.missed += value - before - 1;
  if (before !== undefined && value < before) counts.backwards += 1;
  highest.set(key, Math.max(value, before ?? 0));
  state.set(key, value);
}

function report(): FollowerReport {
  const { user, system } = process.cpuUsage();
  return {
    ...counts,
    connected,
    lastError,
    objects: state.size,
    digest: digestOf(state),
    cpuMs: (user + system) / 1000,
    rssMb: kilobytes('VmRSS') / 1024,
    peakRssMb: kilobytes('VmHWM') / 1024,
  };
}

function kilobytes(field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN);
}

function sequenceOf(object: KubeObject): Parsed<number> {
  const sequence = object.metadata.labels?.[SEQUENCE_LABEL];
  return sequence === undefined ? { ok: false, error: 'no sequence' } : { ok: true, value: Number(sequence) };
}
