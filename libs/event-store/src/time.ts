import { invalid } from '@weir/kernel';

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** An RFC 3339 time in the form in which events have theirs, so that they compare as text. Throws for anything else. */
export function parseTime(time: string): string {
  const ms = RFC3339.test(time) ? Date.parse(time) : Number.NaN;
  // Date.parse takes the 30th of February for the 1st or 2nd of March.
  if (Number.isNaN(ms) || !isDay(time)) throw invalid(`'${time.slice(0, 64)}' is not a time as RFC 3339 writes it.`);
  return new Date(ms).toISOString();
}

function isDay(time: string): boolean {
  const day = time.slice(0, 10);
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
