/**
 * One JSON object a line, in pino's shape (level, time, fields, msg), so that pino's readers print it. pino itself is
 * not used: it costs 10 MB of resident memory at import (worker transports), a fifth of an agent's budget.
 */
import type { LogFields, Logger } from '@canal/runtime-port';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface JsonLoggerOptions {
  readonly level: LogLevel;
  /** Takes one line with its newline; false when the line could not be written and was lost. */
  readonly write: (line: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
}

/** A logger whose children share its sink. Lines that the sink lost are counted in the next line that gets through. */
export function createJsonLogger(options: JsonLoggerOptions, fields: LogFields = {}): Logger {
  return loggerOn(new Sink(options), fields);
}

class Sink {
  private lost = 0;
  private readonly threshold: number;
  private readonly options: JsonLoggerOptions;

  constructor(options: JsonLoggerOptions) {
    this.options = options;
    this.threshold = LOG_LEVELS.indexOf(options.level);
  }

  line(level: LogLevel, bound: LogFields, fields: LogFields, message: string): void {
    if (LOG_LEVELS.indexOf(level) < this.threshold) return;
    const time = new Date(this.options.timeMs()).toISOString();
    const lost = this.lost > 0 ? { lostLines: this.lost } : {};
    const written = this.options.write(`${encode({ level, time, ...bound, ...fields, ...lost, msg: message })}\n`);
    this.lost = written ? 0 : this.lost + 1;
  }
}

function loggerOn(sink: Sink, bound: LogFields): Logger {
  return {
    debug: (fields, message) => sink.line('debug', bound, fields, message),
    info: (fields, message) => sink.line('info', bound, fields, message),
    warn: (fields, message) => sink.line('warn', bound, fields, message),
    error: (fields, message) => sink.line('error', bound, fields, message),
    child: (fields) => loggerOn(sink, { ...bound, ...fields }),
  };
}

/** JSON.stringify escapes control characters, so that no field can write to a reader's terminal. It never throws here. */
function encode(record: LogFields): string {
  try {
    return JSON.stringify(record, plain);
  } catch (error) {
    // A cycle, or a toJSON of a caller's object that throws: the message matters more than the fields.
    const { level, time, msg } = record;
    return JSON.stringify({ level, time, msg, unloggable: String(error) });
  }
}

/** What JSON has no form for: bigint as decimal text, errors as their name, code, message and cause. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return describeError(value);
  return value;
}

function describeError(error: Error): LogFields {
  const { name, message, cause } = error;
  const code: unknown = 'code' in error ? error.code : undefined;
  return { name, message, ...(code !== undefined && { code }), ...(cause !== undefined && { cause }) };
}
