export interface FlagSpec {
  readonly name: string;
  readonly kind: 'text' | 'texts' | 'switch' | 'integer';
  readonly initial: string;
  readonly help: string;
  /** What setting the flag to another value than `initial` leads to; absent when it simply works. */
  readonly reaction?: Reaction;
}

export type Reaction =
  /** An error: not supported yet. `needs` names the part to come. */
  | { readonly type: 'later'; readonly needs: string }
  /** An error: gone for good. */
  | { readonly type: 'removed'; readonly reason: string }
  /** A warning: accepted, and nothing is lost by it. */
  | { readonly type: 'no-effect'; readonly reason: string };

/** Names of the flags of one kind in a table. */
export type NameOf<Spec extends FlagSpec, K extends FlagSpec['kind']> = Extract<Spec, { readonly kind: K }>['name'];

/** PREFIX + upper case, dashes as underscores. */
export function environmentName(prefix: string, flag: string): string {
  return prefix + flag.toUpperCase().replaceAll('-', '_');
}
