/** One work measured beside its reference in the same run. */
export interface BenchResult {
  readonly work: string;
  readonly unit: string;
  readonly ours: number;
  readonly reference: number;
  readonly referenceName: string;
  /** The least ratio of ours to the reference that we accept. */
  readonly goal: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new RangeError('No values');
  return (low + high) / 2;
}

/** Prints a table, or with `json` one line at the very end; the process fails when a goal is missed. */
export function report(bench: string, results: readonly BenchResult[], json: boolean): void {
  const lines = results.map((result) => ({ ...result, ratio: result.ours / result.reference }));
  for (const { work, unit, ours, reference, referenceName, ratio, goal } of lines) {
    const verdict = ratio >= goal ? 'holds' : 'MISSED';
    process.stdout.write(
      `${work}: ${format(ours)} ${unit}, ${referenceName}: ${format(reference)} ${unit}; ratio ${ratio.toFixed(2)}, goal ${goal} ${verdict}\n`,
    );
  }
  if (lines.some(({ ratio, goal }) => ratio < goal)) process.exitCode = 1;
  if (!json) return;
  const rounded = lines.map((line) => ({
    ...line,
    ours: round(line.ours),
    reference: round(line.reference),
    ratio: round(line.ratio),
  }));
  process.stdout.write(`${JSON.stringify({ bench, results: rounded })}\n`);
}

function format(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 });
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
