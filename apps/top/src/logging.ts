import { pino } from 'pino';
import type { Logger } from '@weir/kernel';

/** One JSON line per message on standard output. */
export function jsonLogger(name: string): Logger {
  const logger = pino({ name, redact: ['*.password', '*.token', '*.key', '*.secret'] });
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}
