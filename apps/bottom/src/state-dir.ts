import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** The folder of one Bottom; all of it is for its owner's eyes alone. */
export class StateDir {
  constructor(private readonly path: string) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return existsSync(this.file(name));
  }

  read(name: string): string | undefined {
    return this.has(name) ? readFileSync(this.file(name), 'utf8').trim() : undefined;
  }

  /** On disk when it returns, and never half. */
  write(name: string, text: string): void {
    const temporary = this.file(`${name}.new`);
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeSync(file, `${text}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, this.file(name));
    const folder = openSync(this.path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  /** What is written there, or else what is made now and kept from then on. */
  keep(name: string, make: () => string): string {
    const known = this.read(name);
    if (known !== undefined && known !== '') return known;
    const made = make();
    this.write(name, made);
    return made;
  }
}
