/** Which flows are meant. The admin API knows node, verdict and namespace; the rest is looked at here. */
import type { Flow } from '@canal/admin-client';
import { UsageError } from '../report-error.ts';

/** `node` is absent when this machine's agent told it. */
export type ShownFlow = Omit<Flow, 'node'> & { readonly node?: string };

export interface FlowFilterFlags {
  readonly node?: string;
  readonly namespace?: string;
  readonly verdict?: 'allow' | 'deny';
  /** The same as `--verdict deny`. */
  readonly denied?: true;
  /** At either end: name, or namespace/name. */
  readonly pod?: string;
  readonly port?: number;
  readonly protocol?: string;
}

export interface FlowFilter {
  /** What the admin API filters itself. */
  readonly query: Pick<FlowFilterFlags, 'node' | 'namespace' | 'verdict'>;
  /** Whether that is all there is. */
  readonly isWhole: boolean;
  readonly means: (flow: ShownFlow) => boolean;
}

/** Throws UsageError. */
export function flowFilter(flags: FlowFilterFlags): FlowFilter {
  const { node, namespace, pod, port, denied } = flags;
  const verdict = denied === true ? 'deny' : flags.verdict;
  const protocol = flags.protocol?.toLowerCase();
  const end = pod === undefined ? undefined : readPod(pod, namespace);
  return {
    query: {
      ...(node !== undefined && { node }),
      ...(namespace !== undefined && { namespace }),
      ...(verdict !== undefined && { verdict }),
    },
    isWhole: end === undefined && port === undefined && protocol === undefined,
    means: (flow) => {
      const ends = [flow.source.pod, flow.destination.pod];
      return (
        (verdict === undefined || flow.verdict === verdict) &&
        (namespace === undefined || ends.some((one) => one?.namespace === namespace)) &&
        (end === undefined || ends.some((one) => one !== undefined && end(one))) &&
        (port === undefined || flow.destination.port === port) &&
        (protocol === undefined || flow.protocol.toLowerCase() === protocol)
      );
    },
  };
}

type PodTest = (pod: { readonly namespace: string; readonly name: string }) => boolean;

function readPod(text: string, namespace: string | undefined): PodTest {
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes('')) {
    throw new UsageError(`--pod: ${JSON.stringify(text)} is no pod`, 'give its name, or namespace/name');
  }
  const [wantedNamespace, wantedName] = second === undefined ? [namespace, first] : [first, second];
  return ({ namespace: found, name }) =>
    name === wantedName && (wantedNamespace === undefined || found === wantedNamespace);
}
