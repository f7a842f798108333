import type { ExecResult } from '@weir/local-controller';

/** What a command says, up to a bound for both outputs together. */
export class Output {
  private readonly parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  private bytes = 0;
  private truncated = false;

  constructor(private readonly maxBytes: number) {}

  say(line: string): void {
    this.take('stdout', `${line}\n`);
  }

  complain(line: string): void {
    this.take('stderr', `${line}\n`);
  }

  result(): Pick<ExecResult, 'truncated' | 'stdout' | 'stderr'> {
    const { stdout, stderr } = this.parts;
    const whole = (parts: readonly Buffer[]) => new Uint8Array(Buffer.concat(parts));
    return { truncated: this.truncated, stdout: whole(stdout), stderr: whole(stderr) };
  }

  private take(to: 'stdout' | 'stderr', text: string): void {
    const chunk = Buffer.from(text);
    const kept = chunk.subarray(0, this.maxBytes - this.bytes);
    this.truncated ||= kept.length < chunk.length;
    this.bytes += kept.length;
    this.parts[to].push(kept);
  }
}
