import type { Clock, Logger } from '@weir/kernel';

/** One JSON line per call; an error is written with its whole chain of causes. */
export function jsonLogger(write: (line: string) => void, clock: Clock): Logger {
  const log =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      const line = { time: new Date(clock.now()).toISOString(), level, message, ...fields };
      write(`${JSON.stringify(line, (_, value: unknown) => (value instanceof Error ? chainOf(value) : value))}\n`);
    };
  return { info: log('info'), warn: log('warn'), error: log('error') };
}

function chainOf(error: Error): unknown {
  const { name, message, stack, cause } = error;
  const fields = 'fields' in error ? { fields: error.fields } : {};
  return { name, message, ...fields, ...(cause === undefined ? { stack } : { cause }) };
}
