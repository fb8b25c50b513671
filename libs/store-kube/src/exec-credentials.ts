import { dirname, isAbsolute, join } from 'node:path';

import { KubeConfigError } from './connection-error.ts';
import type { Credentials, CredentialSource } from './connection.ts';
import type { ExecEntry, UserEntry } from './kubeconfig-file.ts';
import { Secret } from './secret.ts';

/**
 * Credentials from an exec plugin or a legacy auth provider, through the Kubernetes client library. It costs 80 MB and a
 * quarter of a second to load, so it is imported when such a user is first asked for, and never otherwise.
 */
export function pluginCredentials(user: UserEntry, server: string, kubeconfigPath: string): CredentialSource {
  let loaded: Promise<PluginConfig> | undefined;
  return {
    async current() {
      loaded ??= loadPluginConfig(user, server, kubeconfigPath);
      const request: PluginRequest = {};
      try {
        await (await loaded).applyToHTTPSOptions(request);
      } catch (error) {
        throw pluginError(user.exec, error);
      }
      return readRequest(request);
    },
    // The library keeps a credential until it expires; a new instance has none.
    invalidate: () => {
      loaded = undefined;
    },
  };
}

/** The two members of client-node's KubeConfig request options that carry credentials, and its headers. */
interface PluginRequest {
  headers?: Record<string, string>;
  cert?: string;
  key?: string;
}

interface PluginConfig {
  applyToHTTPSOptions(request: PluginRequest): Promise<void>;
}

async function loadPluginConfig(user: UserEntry, server: string, kubeconfigPath: string): Promise<PluginConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const provider: unknown = user.authProvider === undefined ? undefined : JSON.parse(user.authProvider.reveal());
  config.loadFromClusterAndUser(
    { name: NAME, server, skipTLSVerify: false },
    {
      name: NAME,
      ...(user.exec === undefined ? {} : { exec: execOptions(user.exec, kubeconfigPath) }),
      ...(provider === undefined ? {} : { authProvider: provider }),
    },
  );
  return { applyToHTTPSOptions: (request) => config.applyToHTTPSOptions(request) };
}

function execOptions(exec: ExecEntry, kubeconfigPath: string): object {
  // A path with a slash is relative to the kubeconfig; a bare name is looked up in PATH.
  const relative = exec.command.includes('/') && !isAbsolute(exec.command);
  const info = {
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false },
  };
  return {
    command: relative ? join(dirname(kubeconfigPath), exec.command) : exec.command,
    args: [...exec.args],
    env: [
      // Plugins read from it which version of the answer is wanted; the library does not set it.
      { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) },
      ...exec.env.map(({ name, value }) => ({ name, value: value.reveal() })),
    ],
  };
}

function readRequest(request: PluginRequest): Credentials {
  const token = /^Bearer (.+)$/.exec(request.headers?.['Authorization'] ?? '')?.[1];
  const { cert, key } = request;
  return {
    ...(token === undefined ? {} : { token: new Secret(token) }),
    ...(cert === undefined || key === undefined ? {} : { clientCertificate: { cert, key: new Secret(key) } }),
  };
}

function pluginError(exec: ExecEntry | undefined, error: unknown): KubeConfigError {
  if (exec === undefined) return new KubeConfigError('exec-failed', 'the auth provider gave no credential');
  const what = `credential plugin ${JSON.stringify(exec.command)}`;
  // The message of a syntax error may quote the output, which is the credential itself.
  if (error instanceof SyntaxError)
    return new KubeConfigError('exec-failed', `${what} printed something else than JSON`);
  const text = error instanceof Error ? error.message.trim().slice(0, MAX_PLUGIN_TEXT) : '';
  const hint = exec.installHint === undefined ? '' : ` (${exec.installHint.trim()})`;
  return new KubeConfigError('exec-failed', `${what} failed: ${text === '' ? 'no message' : text}${hint}`);
}

const NAME = 'plugin';
const MAX_PLUGIN_TEXT = 500;
