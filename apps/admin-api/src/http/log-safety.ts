/** The last line of defence: nothing that looks like a credential gets into the log, whoever put it into a message. */
const CREDENTIALS =
  /\b(?:bearer|basic) +[A-Za-z0-9._~+/=-]{8,}|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/gi;

export function withoutCredentials(text: string): string {
  return text.replaceAll(CREDENTIALS, '[left out]');
}

/** Name, message and causes of an error. */
export function describeFault(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < MAX_CAUSES; depth++) {
    parts.push(
      at instanceof Error ? `${at.name}: ${at.message}` : typeof at === 'string' ? at : 'something that is no error',
    );
    at = at instanceof Error ? at.cause : undefined;
  }
  return withoutCredentials(parts.join('; caused by '));
}

const MAX_CAUSES = 5;
