import { KernelError } from '@canal/kernel-port';

/** What the kernel says to a family that it does not have; to a chain type or expression of which it has no module. */
const UNKNOWN_FAMILY: readonly string[] = ['EOPNOTSUPP', 'EAFNOSUPPORT'];
const TYPED: readonly string[] = ['new nft chain', 'append nft rule'];

/** What netlink or a system call threw, as the port tells it, with what an administrator can do where that is known. */
export function policyKernelError(operation: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof KernelError) return error;
  const code = 'code' in error ? String(error.code) : '';
  const isPermission = code === 'EPERM' || code === 'EACCES';
  const hint = isPermission
    ? ' (CAP_NET_ADMIN is needed, and the table must not be owned by another program)'
    : isUnknownType(error, code)
      ? ' (nf_tables of this kernel must have CONFIG_NF_TABLES_INET, NFT_CT, NFT_FIB_INET, NFT_LOG, NFT_LIMIT, NFT_NUMGEN, NFT_OBJREF)'
      : '';
  const message = `nf_tables: ${operation}: ${error.message}${hint}`;
  return new KernelError(isPermission ? 'permission' : 'io', message, { cause: error });
}

function isUnknownType(error: Error, code: string): boolean {
  if (UNKNOWN_FAMILY.includes(code)) return true;
  return code === 'ENOENT' && 'operation' in error && TYPED.includes(String(error.operation));
}

export function asKernelError<T>(operation: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw policyKernelError(operation, error);
  }
}
