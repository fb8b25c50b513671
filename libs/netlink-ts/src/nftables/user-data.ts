/**
 * What nft stores beside an object for itself; the kernel keeps the bytes and never looks at them. Rows of
 *
 *     | type u8 | length u8 | value … |
 *
 * The comment that `nft list` prints is a row of its own, ended by a zero byte: type 0 of tables, chains, rules, elements
 * and named objects, type 7 of sets (libnftnl/udata.h).
 */
const NFTNL_UDATA_COMMENT = 0;
const NFTNL_UDATA_SET_COMMENT = 7;

/** nft refuses longer ones, so a rule with one could not be restored from its listing. */
const MAX_COMMENT_BYTES = 128;

/** User data of nothing but a comment. Throws RangeError for one that nft could not hold. */
export function commentUserData(comment: string): Uint8Array {
  return commentRow(NFTNL_UDATA_COMMENT, comment);
}

/** The comment within user data; undefined when there is none or the bytes are no such rows. */
export function commentOf(userData: Uint8Array | undefined): string | undefined {
  return commentIn(userData, NFTNL_UDATA_COMMENT);
}

/** The comment within the user data of a set. */
export function setCommentOf(userData: Uint8Array | undefined): string | undefined {
  return commentIn(userData, NFTNL_UDATA_SET_COMMENT);
}

/** Throws RangeError for a comment that nft could not hold. */
export function commentRow(type: number, comment: string): Uint8Array {
  const text = new TextEncoder().encode(comment);
  if (text.length > MAX_COMMENT_BYTES || text.includes(0)) {
    throw new RangeError(`an nft comment is 0..${MAX_COMMENT_BYTES} bytes without a zero: ${JSON.stringify(comment)}`);
  }
  const value = new Uint8Array(text.length + 1);
  value.set(text);
  return userDataRow(type, value);
}

export function userDataRow(type: number, value: Uint8Array): Uint8Array {
  const row = new Uint8Array(value.length + 2);
  row.set([type, value.length]);
  row.set(value, 2);
  return row;
}

function commentIn(userData: Uint8Array | undefined, type: number): string | undefined {
  if (userData === undefined) return undefined;
  for (let at = 0; at + 2 <= userData.length;) {
    const end = at + 2 + (userData[at + 1] ?? 0);
    if (end > userData.length) return undefined;
    if (userData[at] === type) return cString(userData.subarray(at + 2, end));
    at = end;
  }
  return undefined;
}

function cString(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  return new TextDecoder().decode(zero < 0 ? bytes : bytes.subarray(0, zero));
}
