export { createJsonLogger, type JsonLoggerOptions, LOG_LEVELS, type LogLevel } from './json-logger.ts';
export { createPrometheusMetrics, type PrometheusMetrics } from './prometheus-metrics.ts';
export { writeStderr } from './stderr-sink.ts';
export { createSystemClock } from './system-clock.ts';
