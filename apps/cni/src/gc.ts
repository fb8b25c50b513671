/**
 * GC: removes what the runtime does not list. Without a list (a runtime without pods may send null, and so may a broken
 * one) only what is provably gone is removed, so that no mistake of a runtime takes the network from live pods.
 */
import { CANAL_ERROR } from '@canal/cni-spec';
import type { Attachment } from '@canal/model';
import { type AttachmentKey } from '@canal/node-state';
import { delLink, findLink, isNotFound } from 'netlink-ts';
import { attachmentKey } from '@canal/ipam';
import { PluginError } from './plugin-error.ts';
import { podIdentity } from './pod-identity.ts';
import { forgetEndpoints } from './policy-agent.ts';
import { identityOf, openNodeFiles, type PluginRequest } from './request.ts';

export function gc(request: PluginRequest): void {
  const { kernel, network } = request;
  const { addresses } = openNodeFiles(request);
  using host = kernel.openNetlink();
  const valid = network.validAttachments;
  if (valid === undefined) {
    const gone: Attachment[] = [];
    addresses.releaseGone((record) => {
      const isNamespaceGone = identityOf(kernel, record.netns) === undefined;
      const isGone = isNamespaceGone && findLink(host, { name: record.hostInterface }) === undefined;
      if (isGone) gone.push(record);
      return isGone;
    });
    forgetEndpoints(request, gone);
    return;
  }
  const keys = new Set(valid.map(attachmentKey));
  // A record that is torn or gone has a link all the same. Links are named after the key, never by what a record says.
  const dead = addresses.known().filter((key) => !keys.has(attachmentKey(key)));
  const errors = host.batch(dead.map((key) => delLink({ name: hostInterfaceOf(request, key) })));
  // An address whose link could not be deleted stays held: the next GC tries again.
  const kept: AttachmentKey[] = [];
  const gone: AttachmentKey[] = [];
  const problems: string[] = [];
  for (const [index, key] of dead.entries()) {
    const error = errors[index];
    if (error === undefined || isNotFound(error)) {
      gone.push(key);
      continue;
    }
    kept.push(key);
    problems.push(error.message);
  }
  forgetEndpoints(request, gone);
  addresses.releaseUnlisted([...valid, ...kept]);
  if (problems.length === 0) return;
  const message = `${problems.length} links could not be deleted`;
  throw new PluginError(CANAL_ERROR.kernelRefused, message, { details: problems.join('; ') });
}

function hostInterfaceOf({ network }: PluginRequest, { containerId, containerInterface }: AttachmentKey): string {
  return podIdentity(network.name, containerId, containerInterface).hostInterface;
}
