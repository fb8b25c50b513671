import type { Logger } from '@canal/runtime-port';

/** A loop's own words on its progress at debug: "in sync" before the first node is known would mislead a reader. */
export function withoutProgress(log: Logger): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.debug(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    child: (fields) => withoutProgress(log.child(fields)),
  };
}
