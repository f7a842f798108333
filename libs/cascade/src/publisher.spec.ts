import { silentLogger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { RecordingEvents, seededRandom, upsert } from './contract';
import { MemoryFactStore } from './memory/fact-store';
import { MemoryMembership } from './memory/membership';
import { Publisher, type PublisherOptions } from './publisher';
import type { Line } from './protocol';
import type { OutgoingStream } from './transport';

/** A socket that says when it is full. */
class Socket implements OutgoingStream {
  readonly lines: Line[] = [];
  readonly times: number[] = [];
  full = false;
  closed = false;
  private drained: () => void = () => undefined;
  private gone: () => void = () => undefined;

  constructor(private readonly time: VirtualTime) {}

  write(line: string): boolean {
    this.lines.push(JSON.parse(line) as Line);
    this.times.push(this.time.monotonic());
    return !this.full;
  }

  onDrain(handler: () => void): void {
    this.drained = handler;
  }

  onClose(handler: () => void): void {
    this.gone = handler;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.gone();
  }

  drain(): void {
    this.full = false;
    this.drained();
  }

  take(): string[] {
    return this.lines
      .splice(0)
      .map((line) =>
        'position' in line && line.type !== 'mark'
          ? `${line.type} ${line.id}@${line.position}`
          : line.type === 'mark'
            ? `mark@${line.position}`
            : line.type,
      );
  }
}

describe('a publisher', () => {
  const time = new VirtualTime();
  const start = { generation: 1, position: 0, digest: '' };
  let store: MemoryFactStore;
  let events: RecordingEvents;
  let publisher: Publisher;
  let position: number;

  const options = (): PublisherOptions => ({
    name: 'top',
    facts: store,
    membership: new MemoryMembership(() => 1),
    events,
    clock: time,
    timers: time,
    random: seededRandom(1),
    logger: silentLogger,
  });
  const commit = (...changes: ReturnType<typeof upsert>[]): void => {
    position++;
    store.commit({ position, digest: `event ${position}`, changes });
    publisher.changed();
  };
  const connect = async (name: string): Promise<Socket> => {
    const socket = new Socket(time);
    expect(await publisher.connect(name, start, socket)).toBeUndefined();
    return socket;
  };
  const alive = (name: string) =>
    publisher.report(name, { cursor: { position: 0, digest: '' }, settled: 0, observations: [] });

  beforeEach(() => {
    position = 0;
    store = new MemoryFactStore({ generation: 1 });
    events = new RecordingEvents();
    publisher = new Publisher(options());
  });
  afterEach(() => publisher.close());

  it('writes nothing more to a full socket, and then the last states only', async () => {
    commit(upsert('paris', 'port', 'a'), upsert('paris', 'port', 'b'));
    const paris = await connect('paris');
    expect(paris.take()).toEqual(['hello', 'upsert a@1', 'upsert b@1', 'mark@1']);
    paris.full = true;
    for (let i = 0; i < 1000; i++) commit(upsert('paris', 'port', i % 2 ? 'a' : 'b', { i }));
    expect(paris.take()).toEqual(['upsert b@2']);
    await time.advance(3000);
    expect(paris.take()).toEqual([]);
    paris.drain();
    expect(paris.take()).toEqual(['mark@2', 'upsert b@1000', 'upsert a@1001', 'mark@1001']);
  });

  it('sends a mark at least each second, and at the head', async () => {
    const paris = await connect('paris');
    for (let i = 0; i < 20; i++) {
      commit(upsert('tokyo', 'port', `p${i}`));
      await alive('paris');
      await time.advance(300);
    }
    const marks = paris.times.slice(1);
    for (const [i, at] of marks.entries()) expect(at - (marks[i - 1] ?? at)).toBeLessThanOrEqual(1000);
    expect(marks.length).toBeGreaterThanOrEqual(6);
    expect(paris.lines.at(-1)).toMatchObject({ type: 'mark', count: 0, position: 20 });
  });

  it('goes on with those that are named only, the others follow with the next change or heartbeat', async () => {
    const [paris, tokyo] = [await connect('paris'), await connect('tokyo')];
    paris.take();
    tokyo.take();
    position++;
    store.commit({ position, digest: 'x', changes: [upsert('paris', 'port', 'a'), upsert('tokyo', 'port', 'a')] });
    publisher.changed(['paris']);
    expect([paris.take(), tokyo.take()]).toEqual([['upsert a@1', 'mark@1'], []]);
    await time.advance(1000);
    expect(tokyo.take()).toEqual(['upsert a@1', 'mark@1']);
  });

  it('says nothing until those that its owner calls reachable have shown their cursor', async () => {
    publisher.close();
    publisher = new Publisher({ ...options(), reachable: ['paris', 'tokyo'] });
    commit(upsert('paris', 'port', 'a'));
    const paris = await connect('paris');
    expect(paris.take()).toEqual(['hello']);
    await connect('tokyo');
    expect(paris.take()).toEqual(['upsert a@1', 'mark@1']);
  });

  it('lets a follower that starts over go on where it was cut off', async () => {
    for (let i = 0; i < 5; i++) commit(upsert('paris', 'port', `p${i}`));
    await publisher.report('paris', { cursor: store.head(), settled: 5, observations: [] });
    const at3 = { generation: 1, position: 3, digest: 'event 3' };
    const refusal = { status: 409, body: { reason: 'generation', generation: 1, position: 5 } };
    expect(await publisher.connect('paris', at3, new Socket(time))).toEqual(refusal);
    await connect('paris');
    expect(publisher.status('paris')).toMatchObject({ cursor: { position: 0 }, settled: 0 });
    expect(await publisher.connect('paris', at3, new Socket(time))).toBeUndefined();
  });

  it('never calls settled what is not stored', async () => {
    commit(upsert('paris', 'port', 'a'));
    await publisher.report('paris', { cursor: store.head(), settled: 1000, observations: [] });
    expect(publisher.status('paris').settled).toBe(1);
  });

  it('closes the stream that another takes the place of', async () => {
    const first = await connect('paris');
    const second = await connect('paris');
    expect([first.closed, second.closed]).toEqual([true, false]);
    expect(publisher.status('paris').connected).toBe(true);
    commit(upsert('paris', 'port', 'a'));
    expect(second.take()).toContain('upsert a@1');
  });

  it('keeps no stream of a follower that does not report for 5 s', async () => {
    const paris = await connect('paris');
    await time.advance(4900);
    expect(paris.closed).toBe(false);
    await time.advance(200);
    expect(paris.closed).toBe(true);
    expect(publisher.status('paris')).toMatchObject({ connected: false, reachability: 'unreachable' });
  });

  it('tells edges only, with the time of the last report as the beginning of the silence', async () => {
    await connect('paris');
    await alive('paris');
    const reachableSince = time.now();
    await time.advance(3000);
    await alive('paris');
    const silentSince = time.now();
    await time.advance(20_000);
    await alive('paris');
    await alive('paris');
    expect(events.edges).toEqual([
      { follower: 'paris', state: 'reachable', since: reachableSince },
      { follower: 'paris', state: 'unreachable', since: silentSince },
      { follower: 'paris', state: 'reachable', since: time.now() },
    ]);
  });

  it('measures silence on the clock that does not jump', async () => {
    await connect('paris');
    await alive('paris');
    time.jump(3_600_000);
    await time.advance(1000);
    expect(publisher.status('paris').reachability).toBe('reachable');
  });

  it('refuses a question that fits on no line', async () => {
    await connect('paris');
    await expect(publisher.query('paris', 'bytes', 'x'.repeat(1024 * 1024), 1000)).rejects.toMatchObject({
      reason: 'too-large',
    });
  });

  it('takes the parts of an answer in order, each once', async () => {
    const paris = await connect('paris');
    const answer = publisher.query('paris', 'trace', {}, 1000);
    const line = paris.lines.at(-1);
    const id = line?.type === 'query' ? line.id : '';
    publisher.answer('paris', { id, part: 0, last: false, body: '{"ok":true,' });
    publisher.answer('paris', { id, part: 0, last: false, body: '{"ok":true,' });
    expect(() => publisher.answer('paris', { id, part: 2, last: true, body: '}' })).toThrow('comes next');
    expect(() => publisher.answer('tokyo', { id, part: 1, last: true, body: '}' })).toThrow('No such question');
    publisher.answer('paris', { id, part: 1, last: true, body: '"value":42}' });
    await expect(answer).resolves.toBe(42);
  });

  it('calls an answer of another form unavailable', async () => {
    const paris = await connect('paris');
    const answer = publisher.query('paris', 'trace', {}, 1000);
    const line = paris.lines.at(-1);
    publisher.answer('paris', { id: line?.type === 'query' ? line.id : '', part: 0, last: true, body: '{"yes":1}' });
    await expect(answer).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('has no more than 64 open questions to one follower', async () => {
    await connect('paris');
    const answers = Array.from({ length: 65 }, () =>
      publisher.query('paris', 'trace', {}, 1000).catch((error: unknown) => error),
    );
    await expect(answers[64]).resolves.toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('64') as string,
    });
    await time.advance(1000);
    await Promise.all(answers);
  });

  it('ends a stream whose store cannot be read', async () => {
    const paris = await connect('paris');
    store.after = () => {
      throw new Error('disk I/O error');
    };
    commit(upsert('paris', 'port', 'a'));
    expect(paris.closed).toBe(true);
    expect(publisher.status('paris').connected).toBe(false);
  });
});
