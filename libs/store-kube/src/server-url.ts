import { KubeConfigError } from './connection-error.ts';

/** A server's base URL without trailing slash; `host:port` alone means http, as in kubectl. */
export function serverUrl(text: string, where: string): string {
  const candidate = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(candidate) ? new URL(candidate) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new KubeConfigError('malformed', `${where} must be an http or https URL`);
  }
  // Shown in every error text: a password must not ride along.
  if (url.username !== '' || url.password !== '') {
    throw new KubeConfigError('unsupported', `${where} must not contain a user name or password`);
  }
  if (url.search !== '' || url.hash !== '') throw new KubeConfigError('malformed', `${where} must have no query`);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
