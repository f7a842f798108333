import { invalid } from '@weir/kernel';

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** An RFC 3339 time in the form in which events have theirs, so that they compare as text. Throws for anything else. */
export function parseTime(time: string): string {
  const ms = RFC3339.test(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(`'${time.slice(0, 64)}' is not a time as RFC 3339 writes it.`);
  return new Date(ms).toISOString();
}
