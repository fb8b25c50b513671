/**
 * DEL: takes the link away, then frees the addresses, then forgets. Each may be gone already: a DEL that fails is tried
 * again for ever, so it fails only for what a later try can cure. Neither the subnet file nor an agent is needed.
 */
import { HOST_VETH_PREFIX } from '@canal/model';
import { delLink, findLink, isNotFound, type Link, type NetlinkConnection } from 'netlink-ts';
import { podIdentity } from './pod-identity.ts';
import { forgetEndpoints } from './policy-agent.ts';
import { type ContainerRequest, identityOf, openNodeFiles } from './request.ts';

export interface DetachedRequest extends ContainerRequest {
  /** Absent when the runtime has closed the namespace. */
  readonly netns?: string;
}

export function del(request: DetachedRequest): void {
  const { kernel, key, network, netns } = request;
  const { hostInterface } = podIdentity(network.name, key.containerId, key.containerInterface);
  using host = kernel.openNetlink();
  if (!deleteLink(host, hostInterface) && netns !== undefined) deleteForeignLink(request, host, netns);
  // Before the address can be another pod's.
  forgetEndpoints(request, [key]);
  openNodeFiles(request).addresses.release(key);
}

/** False when there was none. */
function deleteLink(netlink: NetlinkConnection, name: string): boolean {
  const [error] = netlink.batch([delLink({ name })]);
  if (error === undefined) return true;
  if (isNotFound(error)) return false;
  throw error;
}

/**
 * A pod of flannel's plugin, from before the node changed to canal: its host end has a name we cannot know. A host end of
 * canal's is of another attachment, since our own is gone: that pod lives. Its namespace is told to us when a path like
 * /proc/<pid>/ns/net has come back, and when the ADD failed because another network was first.
 */
function deleteForeignLink({ kernel, key }: DetachedRequest, host: NetlinkConnection, netns: string): void {
  const identity = identityOf(kernel, netns);
  if (identity === undefined || identity === kernel.netnsIdentity()) return;
  kernel.withNetns(netns, () => {
    using pod = kernel.openNetlink();
    const name = key.containerInterface;
    const link = findLink(pod, { name });
    if (link?.info?.kind === 'veth' && !isCanals(host, link)) deleteLink(pod, name);
  });
}

function isCanals(host: NetlinkConnection, podEnd: Link): boolean {
  if (podEnd.link === undefined) return false;
  const hostEnd = findLink(host, { index: podEnd.link });
  // Both ends name each other: an index alone could be of any link, if the peer is in a third namespace.
  return hostEnd?.name?.startsWith(HOST_VETH_PREFIX) === true && hostEnd.link === podEnd.index;
}
