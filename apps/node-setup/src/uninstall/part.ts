export type FoundKind =
  | 'cni-config'
  | 'subnet-file'
  | 'network'
  | 'bridge'
  | 'nft-table'
  | 'program'
  | 'address'
  | 'cache'
  | 'sysctl'
  | 'directory';

/** Something of ours on this node, or something that looks like it. */
export interface Found {
  readonly kind: FoundKind;
  readonly name: string;
  /** Says why it stays, or what it was. */
  readonly note?: string;
  /** Takes it away; absent for what is left where it is. Throws when that fails. Done already: no error. */
  readonly act?: () => void | Promise<void>;
  /** It is not taken away, but given its former value. */
  readonly restores?: true;
}

/** One kind of thing. It is looked for before the removal and again after it. */
export interface Part {
  /** Throws when it cannot even be asked. */
  find(): readonly Found[] | Promise<readonly Found[]>;
  readonly kind: FoundKind;
}
