/** Where flows come from. */
import type { MissingPart } from '@canal/admin-client';
import type { ShownFlow } from './flow-filter.ts';

export interface NewestFlows {
  /** Oldest first. */
  readonly flows: readonly ShownFlow[];
  readonly missing: readonly MissingPart[];
}

export type FollowedFlow =
  | { readonly type: 'flow'; readonly flow: ShownFlow }
  | { readonly type: 'missing'; readonly missing: readonly MissingPart[] }
  /** Some may be missing here; what is remembered of them follows. */
  | { readonly type: 'resync' };

export interface FlowSource {
  /** Whether each flow names its node. */
  readonly withNode: boolean;
  newest(count: number, signal: AbortSignal): Promise<NewestFlows>;
  /** The newest, then those to come, until the signal aborts or whoever tells them ends. */
  follow(count: number, signal: AbortSignal): AsyncGenerator<FollowedFlow, void>;
}
