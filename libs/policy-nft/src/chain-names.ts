/** Names of the static chains and of what they ask. Chains of policies begin with `in-` and `eg-`. */
import type { VerdictReason } from '@canal/kernel-port';
import type { Direction } from '@canal/rules-ast';
import type { IpFamily } from 'net-types';

/** Each reason to drop a packet is a chain that tells it and drops. */
export const DROP_REASONS = [
  'cut',
  'egress-denied',
  'ingress-denied',
  'invalid',
  'spoofed',
  'tunnel',
  'unknown-endpoint',
] as const satisfies readonly VerdictReason[];

export type DropReason = (typeof DROP_REASONS)[number];

/** What a chain of a policy ends in. */
export const DENIED_CHAIN: Readonly<Record<Direction, DropReason>> = {
  ingress: 'ingress-denied',
  egress: 'egress-denied',
};

export const DIRECTIONS: readonly Direction[] = ['egress', 'ingress'];

/** Finds the chain of an address that is isolated in that direction. */
export const POLICY_CHAIN: Readonly<Record<Direction, string>> = { ingress: 'policies-in', egress: 'policies-out' };

/** The set of addresses that are isolated in that direction. */
export function isolatedSet(direction: Direction, family: IpFamily): string {
  return `isolated-${direction}${family}`;
}

export const CHAIN = {
  guard: 'guard',
  pod: 'pod',
  stranger: 'stranger',
  /** What comes by the bridge. */
  fromBridge: 'from-bridge',
  /** Where flows that were cut end: what comes in, and what the node sends. */
  cutIncoming: 'cut-incoming',
  cutOwn: 'cut-own',
  judge: 'judge',
  input: 'input',
  midstream: 'midstream',
  self: 'self',
  tunnelInput: 'tunnel-input',
  sample: 'sample',
  /** Of the bridge family. */
  handedUp: 'handed-up',
  passing: 'passing',
  forward: 'forward',
  output: 'output',
  otherPort: 'other-port',
  toNode: 'to-node',
  toPod: 'to-pod',
} as const;
