import type { EventStore, RecordedEvent } from '@weir/event-store';

type Log = Pick<EventStore, 'readStream'>;

/** Read at once; a stream of a zone may hold a million. */
const PAGE = 500;

/** The events of a stream behind `after` and up to `until`, page by page, found without reading what stands before them. */
export async function* streamRange(
  log: Log,
  stream: string,
  after: number,
  until: number,
): AsyncGenerator<readonly RecordedEvent[]> {
  for (let revision = await firstBehind(log, stream, after); ;) {
    const page = await log.readStream(stream, revision, PAGE);
    const within = page.filter(({ position }) => position <= until);
    if (within.length > 0) yield within;
    if (page.length < PAGE || within.length < page.length) return;
    revision += page.length;
  }
}

/** The revision of the first event behind a position, by halving: positions grow with revisions. */
async function firstBehind(log: Log, stream: string, after: number): Promise<number> {
  const isBehind = async (revision: number): Promise<boolean> => {
    const [event] = await log.readStream(stream, revision, 1);
    return event === undefined || event.position > after;
  };
  if (after <= 0) return 0;
  let beyond = 1;
  while (!(await isBehind(beyond - 1))) beyond *= 2;
  let low = Math.floor(beyond / 2);
  let high = beyond - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isBehind(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
