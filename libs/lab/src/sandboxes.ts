/** What the lab's kubelets remember of their pods: one file a pod, written before its namespace is made. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatIp, type Ip, parseIp } from 'net-types';
import { writeFileAtomic } from '@canal/node-state';
import { listField, readJson, stringField, unlessMissing } from './json-file.ts';
import { isLabel } from './lab-spec.ts';

export interface PodRecord {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly containerId: string;
  /** Name of its network namespace. */
  readonly netns: string;
  /** Empty until ADD has succeeded. */
  readonly ips: readonly Ip[];
}

/** `namespace/name`, and the name alone in `default`: what people type and read. */
export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return pod.namespace === 'default' ? pod.name : `${pod.namespace}/${pod.name}`;
}

export function parsePodKey(text: string): { namespace: string; name: string } | undefined {
  const [first = '', second, ...rest] = text.split('/');
  const pod = second === undefined ? { namespace: 'default', name: first } : { namespace: first, name: second };
  return rest.length === 0 && isLabel(pod.namespace) && isLabel(pod.name) ? pod : undefined;
}

function fileName(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}.${pod.name}.json`;
}

export function writePodRecord(directory: string, record: PodRecord): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ ...record, ips: record.ips.map(formatIp) });
  writeFileAtomic(directory, fileName(record), text, { mode: 0o600, survives: 'process' });
}

export function removePodRecord(directory: string, record: PodRecord): void {
  rmSync(join(directory, fileName(record)), { force: true });
}

/** The pods of one node, by name. */
export function readPodRecords(directory: string, node: string): readonly PodRecord[] {
  const names = (unlessMissing(() => readdirSync(directory)) ?? []).filter((name) => name.endsWith('.json'));
  return names.sort().flatMap((name) => readPodRecord(join(directory, name), node) ?? []);
}

function readPodRecord(path: string, node: string): PodRecord | undefined {
  const value = readJson(path);
  const text = (name: string): string => stringField(value, name) ?? '';
  const ips = listField(value, 'ips').flatMap((one) => {
    const ip = typeof one === 'string' ? parseIp(one) : undefined;
    return ip?.ok === true ? [ip.value] : [];
  });
  const record = {
    node,
    namespace: text('namespace'),
    name: text('name'),
    uid: text('uid'),
    containerId: text('containerId'),
    netns: text('netns'),
    ips,
  };
  const whole = isLabel(record.namespace) && isLabel(record.name) && record.containerId !== '' && record.netns !== '';
  return whole ? record : undefined;
}
