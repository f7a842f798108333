import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const LAB_FILE = 'lab.json';

/** `lab.json`: tells tools of hosts and instances. Whole or not at all, and written where it differs. */
export class LabFile {
  readonly path: string;
  private written = '';

  constructor(directory: string) {
    this.path = join(directory, LAB_FILE);
  }

  write(content: unknown): void {
    const text = `${JSON.stringify(content, null, 2)}\n`;
    if (text === this.written && existsSync(this.path)) return;
    writeFileSync(`${this.path}.new`, text);
    renameSync(`${this.path}.new`, this.path);
    this.written = text;
  }
}

const FOLLOW_EVERY_MS = 1_000;

/** Writes it again and again, whoever made what changes. */
export async function keepWritten(options: {
  readonly write: () => Promise<void>;
  readonly isOver: () => boolean;
  readonly sleep: (ms: number) => Promise<void>;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}): Promise<void> {
  while (!options.isOver()) {
    await options.write().catch((error: unknown) => {
      options.warn('lab.json could not be written', { error: String(error) });
    });
    await options.sleep(FOLLOW_EVERY_MS);
  }
}
