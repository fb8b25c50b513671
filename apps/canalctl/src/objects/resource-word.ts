/** Kinds as people type them, and as they are shown. */
import { UsageError } from '../report-error.ts';
import { type ApiClient, findResource, type ServedResource } from './api-client.ts';

/** Throws UsageError and StoreError. */
export async function resource(client: ApiClient, word: string): Promise<ServedResource> {
  const served = await client.discover();
  const found = findResource(served, word);
  if (found !== undefined) return found;
  const known = served.map((one) => one.plural).join(', ');
  throw new UsageError(`the API server knows no ${JSON.stringify(word)}`, `give one of ${known}`);
}

/** `pod`, `networkpolicy.networking.k8s.io`. */
export function wordOf(type: ServedResource): string {
  const singular = type.words[1] ?? type.plural;
  return type.group === '' ? singular : `${singular}.${type.group}`;
}
