import { KernelError } from '@canal/kernel-port';

/** A failure of netlink or of a system call as the port tells it, with what an administrator can do where that is known. */
export function nftKernelError(operation: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof KernelError) return error;
  const code = 'code' in error ? String(error.code) : '';
  const request = 'operation' in error ? String(error.operation) : '';
  const hint = hintFor(code, request);
  const message = `nf_tables: ${operation}: ${error.message}${hint === undefined ? '' : ` (${hint})`}`;
  return new KernelError(PERMISSION.includes(code) ? 'permission' : 'io', message, { cause: error });
}

const PERMISSION: readonly string[] = ['EPERM', 'EACCES'];
/** What the kernel says to a table, chain or expression type that it does not have, and to a whole subsystem. */
const UNKNOWN_TYPE: readonly string[] = ['ENOENT', 'EOPNOTSUPP'];
const NO_SUBSYSTEM: readonly string[] = ['EINVAL', 'EOPNOTSUPP'];

function hintFor(code: string, request: string): string | undefined {
  if (PERMISSION.includes(code)) return 'CAP_NET_ADMIN is needed, and the table must not be owned by another program';
  if (request === 'get nft generation' && NO_SUBSYSTEM.includes(code)) {
    return 'this kernel has no nf_tables: CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET';
  }
  if (!UNKNOWN_TYPE.includes(code)) return undefined;
  if (request === 'new nft chain') return 'NAT in the inet family needs Linux 5.2 and CONFIG_NFT_NAT';
  if (request === 'append nft rule') return 'CONFIG_NFT_MASQ is needed';
  return undefined;
}
