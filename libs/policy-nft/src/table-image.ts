/** A table as data: what it shall hold, and what the kernel has. */
import {
  NFT_SET_ELEM,
  type NftChain,
  type NftElement,
  type NftExpression,
  type NftSet,
  type NftSetDefinition,
  nftSet,
  NFT_VERDICT,
} from 'netlink-ts';

export interface TableImage {
  /** NFPROTO. */
  readonly family: number;
  readonly sets: readonly SetImage[];
  /** By name. */
  readonly counters: ReadonlySet<string>;
  readonly chains: readonly ChainImage[];
}

/** Chains and sets without what fills them. */
export interface StaticTable {
  readonly family: number;
  readonly sets: readonly SetDefinition[];
  readonly chains: readonly ChainImage[];
}

/** A set or map. Its elements are made when asked for: together they may be hundreds of thousands. */
export interface SetImage {
  readonly definition: SetDefinition;
  readonly elements: () => Iterable<NftElement>;
}

/** As `nftSet` takes it, without the table. */
export type SetDefinition = Omit<NftSetDefinition, 'family' | 'table'>;

export interface ChainImage {
  readonly name: string;
  /** Absent: called by rules alone. */
  readonly hook?: ChainHook;
  readonly rules: readonly RuleImage[];
}

/** Of a base chain; all are of type filter and accept what comes to their end. */
export interface ChainHook {
  /** NF_INET, or the family's own hook number. */
  readonly number: number;
  readonly priority: number;
}

export type RuleImage = readonly NftExpression[];

/** Equal for equal hooks; undefined for a chain without. */
export function hookText(hook: ChainHook | undefined): string | undefined {
  return hook && `filter hook ${hook.number} priority ${hook.priority} policy ${NFT_VERDICT.ACCEPT}`;
}

/** The same of what the kernel tells. */
export function actualHookText({ hook, type = '', policy = NFT_VERDICT.ACCEPT }: NftChain): string | undefined {
  return hook && `${type} hook ${hook.number ?? 0} priority ${hook.priority ?? 0} policy ${policy}`;
}

/** Equal for sets that hold elements of the same kind in the same way. */
export function setText(definition: SetDefinition): string {
  return actualSetText(nftSet({ ...definition, family: 0, table: '' }));
}

export function actualSetText(set: Partial<NftSet>): string {
  const { flags = 0, keyType = 0, keyLength = 0, dataType, description, expression, expressions } = set;
  const data = dataType === undefined ? '' : ` data ${dataType}`;
  const asked = expression === undefined && expressions === undefined ? '' : ' with expressions';
  return `flags ${flags} key ${keyType}/${keyLength}${data} size ${description?.size ?? 0}${asked}`;
}

/** Equal for elements with the same key and data. One with expressions, a limit for instance, is found now and then only. */
export function elementText({ key, keyEnd, data, flags = 0, timeout, expression, expressions }: NftElement): string {
  let text = key?.toHex() ?? '*';
  if (keyEnd !== undefined) text += `-${keyEnd.toHex()}`;
  if ((flags & NFT_SET_ELEM.INTERVAL_END) !== 0) text += ' end';
  if (data !== undefined) text += ` ${data.verdict?.code ?? ''} ${data.verdict?.chain ?? ''}`;
  if (timeout !== undefined) text += ` for ${timeout}`;
  if (expression !== undefined || expressions !== undefined) text += ' if';
  return text;
}
