import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MOUNT = 'mount -t tmpfs -o size="$1"m none "$0" && echo mounted && exec cat';
const BALLAST = 'ballast';
/** The last writes take what is left of a page's worth at a time. */
const CHUNKS = [256 * 1024, 4096, 1];

/** A disk of a few megabytes over a folder, in a mount namespace of its own: it is gone when its test is. */
export class SmallDisk {
  private constructor(
    readonly folder: string,
    private readonly holder: ChildProcessWithoutNullStreams,
  ) {}

  static async mount(folder: string, megabytes: number): Promise<SmallDisk> {
    const holder = spawn('unshare', ['--mount', 'sh', '-c', MOUNT, folder, String(megabytes)]);
    const [said] = (await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])) as [unknown];
    if (String(said) !== 'mounted\n') throw new Error(`No disk could be mounted at ${folder}.`);
    return new SmallDisk(folder, holder);
  }

  /** In front of a command that is to see the disk. */
  get prefix(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.holder.pid ?? 0}/ns/mnt`, `--wd=${process.cwd()}`];
  }

  /** What lies on the disk, for those who do not see it. Not for SQLite, which resolves links itself. */
  get contents(): string {
    return `/proc/${this.holder.pid ?? 0}/root${this.folder}`;
  }

  /** Takes whatever room there is, to the last byte. */
  fill(): void {
    const ballast = openSync(join(this.contents, BALLAST), 'a');
    for (const size of CHUNKS) {
      const chunk = Buffer.alloc(size);
      while (wrote(ballast, chunk));
    }
    closeSync(ballast);
  }

  /** Gives it back. */
  free(): void {
    rmSync(join(this.contents, BALLAST), { force: true });
  }

  async end(): Promise<void> {
    const ended = once(this.holder, 'exit');
    this.holder.stdin.end();
    await ended;
  }
}

function wrote(file: number, chunk: Buffer): boolean {
  try {
    return writeSync(file, chunk) === chunk.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
