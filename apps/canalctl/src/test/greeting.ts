/** What a server of the self-test says first: which pod it is, whom it sees, and of a datagram its length. One line. */
export interface Greeting {
  readonly pod: string;
  /** The client's address as the server sees it. */
  readonly seen: string;
  /** Of the datagram that is answered; 0 of a connection. */
  readonly bytes: number;
}

const MAGIC = 'canal-test';

export function formatGreeting({ pod, seen, bytes }: Greeting): string {
  return `${MAGIC} ${pod} ${seen} ${bytes}\n`;
}

/** Of a line without its end; undefined for what another program says. */
export function parseGreeting(line: string): Greeting | undefined {
  const [, pod, seen, bytes] = /^canal-test ([a-z0-9.-]{1,253}) ([0-9a-f.:]{2,45}) ([0-9]{1,6})$/.exec(line) ?? [];
  if (pod === undefined || seen === undefined || bytes === undefined) return undefined;
  return { pod, seen, bytes: Number(bytes) };
}
