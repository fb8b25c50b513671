/**
 * What nft stores beside a table, chain or rule for itself; the kernel keeps the bytes and never looks at them. A row of
 *
 *     | type u8 | length u8 | value … |
 *
 * of which type 0 is the comment that `nft list` prints, ended by a zero byte (libnftnl/udata.h).
 */
const NFTNL_UDATA_COMMENT = 0;

/** nft refuses longer ones, so a rule with one could not be restored from its listing. */
const MAX_COMMENT_BYTES = 128;

/** User data of nothing but a comment. Throws RangeError for one that nft could not hold. */
export function commentUserData(comment: string): Uint8Array {
  const text = new TextEncoder().encode(comment);
  if (text.length > MAX_COMMENT_BYTES || text.includes(0)) {
    throw new RangeError(`an nft comment is 0..${MAX_COMMENT_BYTES} bytes without a zero: ${JSON.stringify(comment)}`);
  }
  const userData = new Uint8Array(text.length + 3);
  userData.set([NFTNL_UDATA_COMMENT, text.length + 1]);
  userData.set(text, 2);
  return userData;
}

/** The comment within user data; undefined when there is none or the bytes are no such row. */
export function commentOf(userData: Uint8Array | undefined): string | undefined {
  if (userData === undefined) return undefined;
  for (let at = 0; at + 2 <= userData.length;) {
    const end = at + 2 + (userData[at + 1] ?? 0);
    if (end > userData.length) return undefined;
    if (userData[at] === NFTNL_UDATA_COMMENT) return cString(userData.subarray(at + 2, end));
    at = end;
  }
  return undefined;
}

function cString(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  return new TextDecoder().decode(zero < 0 ? bytes : bytes.subarray(0, zero));
}
