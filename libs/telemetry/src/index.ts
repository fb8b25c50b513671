export { type HealthAnswer, type HealthServerDeps, serveHealth } from './health-server.ts';
export { createJsonLogger, type JsonLoggerOptions, LOG_LEVELS, type LogLevel } from './json-logger.ts';
export { type Complaint, type ProblemEvents, ProblemLog } from './problem-log.ts';
export { createPrometheusMetrics, type PrometheusMetrics } from './prometheus-metrics.ts';
export { writeStderr } from './stderr-sink.ts';
export { createSystemClock } from './system-clock.ts';
export { VERSION } from './version.ts';
export { withoutProgress } from './without-progress.ts';
