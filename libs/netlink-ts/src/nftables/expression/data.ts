import { attribute, type AttributesOf, attributeTable, nested } from '../../wire/attribute-table.ts';
import { be32, bytes, cstring } from '../../wire/scalars.ts';
import { be32Signed } from '../../nfnetlink/scalars.ts';

export const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFTA_VERDICT_CHAIN_ID = 3;

/** What becomes of the packet (NF_* of linux/netfilter.h) or of the evaluation (enum nft_verdicts). */
export const NFT_VERDICT = {
  DROP: 0,
  ACCEPT: 1,
  STOLEN: 2,
  QUEUE: 3,
  CONTINUE: -1,
  BREAK: -2,
  JUMP: -3,
  GOTO: -4,
  RETURN: -5,
} as const;

const verdictTable = attributeTable({
  code: attribute(NFTA_VERDICT_CODE, be32Signed),
  /** Target of JUMP and GOTO. */
  chain: attribute(NFTA_VERDICT_CHAIN, cstring),
  /** Target by its id within the transaction. */
  chainId: attribute(NFTA_VERDICT_CHAIN_ID, be32),
});

export type NftVerdict = AttributesOf<typeof verdictTable>;

/** struct nft_data: bytes as they lie in a register, or a verdict. */
export const dataTable = attributeTable({
  value: attribute(NFTA_DATA_VALUE, bytes),
  verdict: attribute(NFTA_DATA_VERDICT, nested(verdictTable)),
});

export type NftData = AttributesOf<typeof dataTable>;

export const data = nested(dataTable);
