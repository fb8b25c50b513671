/** The admin API that the flags mean: by its URL, of a lab, or in a cluster. */
import { AdminApiError, type AdminClient, type AdminServer, createAdminClient } from '@canal/admin-client';
import type { CommandContext } from '../command-context.ts';
import { UsageError } from '../report-error.ts';
import type { AdminFlags, AdminRole } from './admin-flags.ts';
import { AdminAccessError } from './admin-access-error.ts';
import { labAdminServer } from './lab-admin-server.ts';
import { readAuthorityFile, readTokenFile } from './read-credential-file.ts';

/** `role`: what the work needs. Throws AdminAccessError, AdminApiError, UsageError, and what the work throws. */
export async function withAdminApi<T>(
  context: CommandContext,
  flags: AdminFlags,
  work: (client: AdminClient, signal: AbortSignal) => Promise<T>,
  role: AdminRole = 'view',
): Promise<T> {
  const { signal } = context;
  if (flags.asRole !== undefined && (flags.lab !== undefined || flags.adminServer !== undefined)) {
    throw new UsageError(
      '--as-role is for the admin API of the cluster in the kubeconfig',
      "leave it out: with --lab the token is the lab's, with --admin-server that of --admin-token-file",
    );
  }
  if (flags.lab !== undefined) return await work(createAdminClient(labAdminServer(flags.stateRoot, flags.lab)), signal);
  if (flags.adminServer !== undefined)
    return await work(createAdminClient(namedServer(flags, flags.adminServer)), signal);
  const { openClusterAdminApi } = await import('./cluster-admin-server.ts');
  const opened = await openClusterAdminApi(flags, role, signal);
  try {
    return await work(createAdminClient(opened.server), signal);
  } catch (error) {
    throw error instanceof AdminApiError ? await opened.explain(error) : error;
  } finally {
    opened.close();
  }
}

function namedServer({ adminTokenFile, adminCaFile }: AdminFlags, url: string): AdminServer {
  const { protocol, pathname, search, origin, username } = parseUrl(url);
  if (protocol !== 'https:' || pathname !== '/' || search !== '' || username !== '') {
    throw new UsageError(`--admin-server: ${JSON.stringify(url)} is not the URL of an admin API`, EXPECTED_URL);
  }
  if (adminTokenFile === undefined) {
    throw new UsageError('--admin-server needs a token', 'name its file: --admin-token-file FILE');
  }
  const token = readTokenFile(adminTokenFile, '--admin-token-file');
  return {
    url: origin,
    token: () => token,
    ...(adminCaFile !== undefined && { ca: readAuthorityFile(adminCaFile, '--admin-ca-file') }),
  };
}

const EXPECTED_URL = 'give one such as https://10.0.0.1:9443: TLS alone, no path';

function parseUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed !== null) return parsed;
  throw new UsageError(`--admin-server: ${JSON.stringify(url)} is no URL`, EXPECTED_URL);
}

/** Whether the same may succeed in a moment: for commands that wait. */
export function isPassing(error: unknown): boolean {
  if (error instanceof AdminApiError) return error.isPassing;
  return error instanceof AdminAccessError && error.isPassing;
}
