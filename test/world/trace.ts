import { createHash, type Hash } from 'node:crypto';
import type { Logger } from '@weir/kernel';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What happened, line by line, in words: ids are written as the names of what they name. */
export class Trace {
  private readonly lines: string[] = [];
  private readonly names = new Map<string, string>();
  private readonly digest: Hash = createHash('sha256');

  constructor(private readonly now: () => number) {}

  name(id: string, name: string): void {
    this.names.set(id, name);
  }

  tell(who: string, what: string): void {
    const text = what.replaceAll(UUID, (id) => this.names.get(id) ?? id.slice(0, 8));
    const line = `${(this.now() / 1000).toFixed(3).padStart(8)} s  ${who.padEnd(10)}  ${text}`;
    this.lines.push(line);
    this.digest.update(line);
  }

  /** A process' own words; what is only of interest to its operator in good times is left out. */
  logger(who: string): Logger {
    const say = (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      this.tell(who, `says: ${message} ${told(fields)}`.trimEnd());
    return { info: () => undefined, warn: say, error: say };
  }

  /** Equal for equal histories. */
  hash(): string {
    return this.digest.copy().digest('hex');
  }

  story(): string {
    return this.lines.join('\n');
  }
}

function told(fields: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(fields).map(([key, value]) => {
    const text = value instanceof Error ? chain(value) : typeof value === 'string' ? value : JSON.stringify(value);
    return `${key}: ${text}`;
  });
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}

function chain(error: Error): string {
  return error.cause instanceof Error ? `${error.message} ← ${chain(error.cause)}` : error.message;
}
