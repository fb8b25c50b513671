/** How the pods of a self-test come up, as their kubelets tell it. */
import type { KubeObject } from '@canal/store-port';
import { isJsonObject, textAt, valueAt } from '../objects/json-object.ts';

export type PodState =
  | { readonly type: 'ready'; readonly ips: readonly string[] }
  /** It runs, and its node's kubelet does not reach it. */
  | { readonly type: 'running'; readonly ips: readonly string[] }
  | { readonly type: 'waiting'; readonly why: string }
  /** It will not run any more. */
  | { readonly type: 'ended'; readonly why: string };

export function podStateOf(pod: KubeObject | undefined): PodState {
  if (pod === undefined) return { type: 'ended', why: 'somebody has deleted it' };
  const phase = textAt(pod, 'status', 'phase') ?? 'Pending';
  const why = whyNot(pod, phase);
  if (phase === 'Failed' || phase === 'Succeeded') return { type: 'ended', why };
  const ips = addressesOf(pod);
  if (phase !== 'Running' || ips.length === 0) return { type: 'waiting', why };
  return { type: isReady(pod) ? 'ready' : 'running', ips };
}

function isReady(pod: KubeObject): boolean {
  return listAt(pod, 'status', 'conditions').some(
    (one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True',
  );
}

function addressesOf(pod: KubeObject): readonly string[] {
  return listAt(pod, 'status', 'podIPs').flatMap((one) => textAt(one, 'ip') ?? []);
}

/** `ErrImagePull: …`, `OutOfcpu: …`, or the phase alone. */
function whyNot(pod: KubeObject, phase: string): string {
  const [container] = listAt(pod, 'status', 'containerStatuses');
  const state = valueAt(container, 'state');
  for (const place of [valueAt(state, 'waiting'), valueAt(state, 'terminated'), valueAt(pod, 'status')]) {
    if (!isJsonObject(place)) continue;
    const exitCode = valueAt(place, 'exitCode');
    const texts = [textAt(place, 'reason'), textAt(place, 'message')].filter((text) => text !== undefined);
    const code = typeof exitCode === 'number' ? [`exit code ${exitCode}`] : [];
    if (texts.length + code.length > 0) return [...texts, ...code].join(': ');
  }
  return `it is ${phase}`;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? (found as unknown[]) : [];
}
