import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The folder of one Host, for its owner's eyes alone. Nothing is forced to disk: what a power loss takes, the Bottom and the switch
 * know too.
 */
export class StateDir {
  constructor(readonly path: string) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  read(name: string): string | undefined {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), 'utf8') : undefined;
  }

  /** Never half. */
  write(name: string, text: string): void {
    const file = this.file(name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** What is written there, or else what is made now and kept from then on. */
  keep(name: string, make: () => string): string {
    const known = this.read(name)?.trim();
    if (known !== undefined && known !== '') return known;
    const made = make();
    this.write(name, made);
    return made;
  }

  remove(name: string): void {
    rmSync(this.file(name), { force: true });
  }

  names(folder: string): string[] {
    return existsSync(this.file(folder)) ? readdirSync(this.file(folder)) : [];
  }
}
