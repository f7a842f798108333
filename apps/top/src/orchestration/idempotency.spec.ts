import { MemoryEventStore } from '@weir/event-store/memory';
import { silentLogger, systemRandom, unavailable } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { type Answer, Idempotency, type KeyedRequest } from './idempotency';
import { MemoryKeptAnswers } from './kept-answers';
import { Rehearsals } from './rehearsals';
import { Sealer } from './sealing';

const HOUR_MS = 60 * 60 * 1000;
const request: KeyedRequest = { owner: 'ada/blue', key: 'k', fingerprint: 'f', requestId: 'req-1' };
const made: Answer = { status: 201, headers: {}, body: { id: 1 } };

function world(kept = new MemoryKeptAnswers()) {
  const time = new VirtualTime();
  const log = new MemoryEventStore();
  const rehearsals = new Rehearsals({ store: log, rows: log.reader, views: [] });
  const sealer = new Sealer(systemRandom.bytes(32), systemRandom);
  const idempotency = new Idempotency({
    log,
    kept,
    rehearsals,
    sealer,
    clock: time,
    timers: time,
    logger: silentLogger,
  });
  return { time, idempotency, kept };
}

describe('an answer that was kept', () => {
  it('is given for 24 h, and then it is as if it had never been', async () => {
    const { time, idempotency } = world();
    expect(await idempotency.once(request, () => Promise.resolve(made))).toEqual({ answer: made, isKept: false });
    const other = { ...made, body: { id: 2 } };
    await time.advance(24 * HOUR_MS - 1);
    expect(await idempotency.once(request, () => Promise.resolve(other))).toEqual({ answer: made, isKept: true });
    await time.advance(1);
    expect(await idempotency.once(request, () => Promise.resolve(other))).toEqual({ answer: other, isKept: false });
    idempotency.stop();
  });

  it('is swept away by itself', async () => {
    const kept = new MemoryKeptAnswers({ perOwner: 1, bytes: 10_000 });
    const { time, idempotency } = world(kept);
    await idempotency.once(request, () => Promise.resolve(made));
    await time.advance(26 * HOUR_MS);
    const entry = { key: 'room', owner: request.owner, value: Buffer.alloc(1), until: Infinity };
    await expect(kept.put(entry)).resolves.toBeUndefined();
    idempotency.stop();
  });

  it('is none where we failed', async () => {
    const { idempotency } = world();
    await expect(idempotency.once(request, () => Promise.reject(unavailable('full')))).rejects.toThrow('full');
    expect(await idempotency.once(request, () => Promise.resolve(made))).toEqual({ answer: made, isKept: false });
    idempotency.stop();
  });

  it('is given though there was no room to keep it', async () => {
    const { idempotency } = world(new MemoryKeptAnswers({ perOwner: 0, bytes: 0 }));
    expect(await idempotency.once(request, () => Promise.resolve(made))).toEqual({ answer: made, isKept: false });
    idempotency.stop();
  });
});
