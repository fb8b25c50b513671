/** The log of a Job's pod. It comes from the node's kubelet, which may be anybody: no more is read than a report can be. */
import { type KubeConnection, resourcePath, send } from '@canal/store-kube';
import { PODS } from '@canal/store-port';

const TIMEOUT_MS = 30_000;
/** A report has some 150 bytes an object: enough for a node of a cluster of 5000 nodes. */
export const LOG_MAX_BYTES = 16 * 1024 * 1024;

/** Throws StoreError, and Error when the log is longer than LOG_MAX_BYTES. */
export async function readPodLog(
  connection: KubeConnection,
  namespace: string,
  pod: string,
  signal: AbortSignal,
): Promise<string> {
  const path = `${resourcePath(PODS, namespace, pod, 'log')}?limitBytes=${LOG_MAX_BYTES}`;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await send(connection, { method: 'GET', path, accept: '*/*' }, limited);
  const body = answer.body as ReadableStream<Uint8Array> | null;
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  // Leaving the loop ends the request.
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > LOG_MAX_BYTES) throw new Error(`it is longer than ${LOG_MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
