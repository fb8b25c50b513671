/** What `get` shows, and how else people call it. */
export const KIND_WORDS = {
  nodes: ['node', 'no'],
  leases: ['lease'],
  networkpolicies: ['networkpolicy', 'netpol', 'np', 'policies', 'policy'],
  endpoints: ['endpoint', 'workloadendpoints', 'workloadendpoint', 'wep', 'pods', 'pod', 'po'],
  ippools: ['ippool', 'pools', 'pool'],
  addresses: ['address', 'ips', 'ip'],
  events: ['event', 'ev'],
  audit: ['auditrecords'],
  'net-conf': ['netconf', 'config'],
} as const;

export type Kind = keyof typeof KIND_WORDS;

export function findKind(word: string): Kind | undefined {
  const wanted = word.toLowerCase();
  const found = Object.entries(KIND_WORDS).find(
    ([kind, words]) => kind === wanted || words.some((one) => one === wanted),
  );
  return found?.[0] as Kind | undefined;
}
