import { describeParseError, err, ok, type ParseError, type Result } from 'net-types';

/** Address families of the whole lab: underlay, pods and the API server's address alike. */
export type LabFamily = 'ipv4' | 'dual' | 'ipv6';

export interface LabSpec {
  /** Part of namespace and path names: a DNS label of at most 20 characters. */
  readonly name: string;
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly backend: 'vxlan' | 'host-gw';
  /** vxlan alone: peers of the same segment are reached without encapsulation. */
  readonly directRouting: boolean;
  readonly ipFamily: LabFamily;
  readonly podMode: 'routed' | 'bridge';
  /** `required`: each node runs the policy agent, and NetworkPolicy is enforced. */
  readonly policy: 'required' | 'off';
  /** Layer 2 segments of the underlay, joined by routing; nodes are spread over them in order. */
  readonly segments: number;
  /** MTU of the underlay's links. */
  readonly mtuBytes: number;
}

export const MAX_NODES = 200;
export const MAX_PODS_PER_NODE = 250;
export const MAX_SEGMENTS = 8;

/** RFC 8200 §5: below this there is no IPv6; vxlan over it must still carry 1280 bytes of inner IPv6. */
const MIN_MTU = 1400;
const MAX_MTU = 65_535;

export const DEFAULT_SPEC: LabSpec = {
  name: 'lab',
  nodes: 3,
  podsPerNode: 2,
  backend: 'vxlan',
  directRouting: false,
  ipFamily: 'ipv4',
  podMode: 'routed',
  policy: 'required',
  segments: 1,
  mtuBytes: 1500,
};

/** What is wrong with one field of a wanted lab. */
export interface SpecError extends ParseError {
  readonly field: keyof LabSpec;
}

/** `nodes: "0": expected a number within 1..200`. */
export function formatSpecError(error: SpecError): string {
  return `${error.field}: ${describeParseError(error)}`;
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const MAX_LAB_NAME = 20;
const MAX_LABEL = 63;
/** What a lab's name is to be, in words. */
export const LAB_NAME = `lower-case letters, digits and dashes, at most ${MAX_LAB_NAME} characters`;

/** A node, pod or namespace name: a DNS label (RFC 1123 §2.1), so also one safe part of a file name. */
export function isLabel(text: string, maxLength = MAX_LABEL): boolean {
  return text.length <= maxLength && LABEL.test(text);
}

/** Whether a lab can have this name; nothing of another lab's can then begin with its names. */
export function isLabName(text: string): boolean {
  return isLabel(text, MAX_LAB_NAME);
}

/** Defaults filled in and every rule checked; the first broken rule is the error. */
export function parseLabSpec(wanted: Partial<LabSpec>): Result<LabSpec, SpecError> {
  const directRouting = wanted.directRouting ?? DEFAULT_SPEC.directRouting;
  const spec: LabSpec = {
    ...DEFAULT_SPEC,
    // DirectRouting shows both of its halves only where some peers are near and some are behind a router.
    segments: directRouting ? 2 : DEFAULT_SPEC.segments,
    ...wanted,
  };
  const refuse = (field: keyof LabSpec, expected: string): Result<LabSpec, SpecError> =>
    err({ field, input: String(spec[field]), expected });
  const within = (value: number, min: number, max: number): boolean =>
    Number.isInteger(value) && value >= min && value <= max;
  if (!isLabName(spec.name)) return refuse('name', LAB_NAME);
  if (!within(spec.nodes, 1, MAX_NODES)) return refuse('nodes', `a number within 1..${MAX_NODES}`);
  if (!within(spec.podsPerNode, 0, MAX_PODS_PER_NODE)) {
    return refuse('podsPerNode', `a number within 0..${MAX_PODS_PER_NODE}`);
  }
  if (!within(spec.segments, 1, MAX_SEGMENTS)) return refuse('segments', `a number within 1..${MAX_SEGMENTS}`);
  if (!within(spec.mtuBytes, MIN_MTU, MAX_MTU)) return refuse('mtuBytes', `a number within ${MIN_MTU}..${MAX_MTU}`);
  if (spec.backend === 'host-gw' && spec.directRouting) {
    return refuse('directRouting', 'false with host-gw, which routes directly to every node');
  }
  if (spec.backend === 'host-gw' && spec.segments > 1) {
    return refuse('segments', '1 with host-gw, whose nodes must share one layer 2 segment');
  }
  return ok(spec);
}

/** What two wishes differ in; nothing when `up` of the one may show the other. */
export function differingFields(a: LabSpec, b: LabSpec): readonly (keyof LabSpec)[] {
  return SPEC_FIELDS.filter((field) => a[field] !== b[field]);
}

const SPEC_FIELDS: readonly (keyof LabSpec)[] = [
  'name',
  'nodes',
  'podsPerNode',
  'backend',
  'directRouting',
  'ipFamily',
  'podMode',
  'policy',
  'segments',
  'mtuBytes',
];
