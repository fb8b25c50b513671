/** How an agent finds its Node object: by name, or as the node of its own Pod. */
export type NodeIdentity =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'pod'; readonly name: string; readonly namespace: string };
