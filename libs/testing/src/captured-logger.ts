import type { LogFields, Logger } from '@canal/runtime-port';

export interface LogRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines, children's included, for the test to look at. */
export interface CapturedLogger extends Logger {
  readonly records: readonly LogRecord[];
  /** The messages of one level, or of all. */
  messages(level?: LogRecord['level']): readonly string[];
}

export function createCapturedLogger(): CapturedLogger {
  const records: LogRecord[] = [];
  return {
    ...loggerWith({}, records),
    records,
    messages: (level) =>
      records.filter((record) => level === undefined || record.level === level).map(({ message }) => message),
  };
}

function loggerWith(bound: LogFields, records: LogRecord[]): Logger {
  const at =
    (level: LogRecord['level']) =>
    (fields: LogFields, message: string): void => {
      records.push({ level, message, fields: { ...bound, ...fields } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => loggerWith({ ...bound, ...fields }, records),
  };
}
