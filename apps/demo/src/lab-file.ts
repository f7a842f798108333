import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger, Timers } from '@weir/kernel';
import type { Stage } from './stage';

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

/** Writes it again and again, whoever made what changes, until the stage closes. */
export async function keepWritten(
  stage: Pick<Stage, 'isClosing' | 'writeLabFile'>,
  { timers, logger }: { readonly timers: Timers; readonly logger: Logger },
): Promise<void> {
  while (!stage.isClosing) {
    await stage.writeLabFile().catch((error: unknown) => {
      logger.warn('lab.json could not be written', { error: String(error) });
    });
    await timers.sleep(FOLLOW_EVERY_MS);
  }
}
