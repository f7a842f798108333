import type { FactsHandlers, FactStore, Report, SliceChange, SliceStore, Transport } from '@weir/cascade';
import type { EventStore, RecordedEvent } from '@weir/event-store';
import type { Timers } from '@weir/kernel';
import type { Core } from '../../apps/top/src/core';

/** Where a world may be spoilt: the ports between our code and what the world plays. Nothing in the product knows of it. */
export interface Spoilt {
  readonly store?: (store: EventStore, timers: Timers) => EventStore;
  /** A Top that has just started. */
  readonly top?: (core: Core) => void;
  /** What a publisher reads of what it has published. */
  readonly facts?: <S extends FactStore>(facts: S) => S;
  /** What a Host keeps. */
  readonly slice?: (slice: SliceStore) => SliceStore;
  /** The way of any follower to its publisher. */
  readonly transport?: (transport: Transport) => Transport;
  /** The way of a Bottom to its Top alone. */
  readonly upwards?: (transport: Transport) => Transport;
}

export const SOUND: Spoilt = {};

export interface Bug {
  readonly name: string;
  readonly spoilt: Spoilt;
  /** What somebody would notice of it. */
  readonly seenAs: RegExp;
}

/** The bugs that a world has to find; each once was in some product, or nearly in ours. */
export const BUGS: readonly Bug[] = [
  {
    name: 'an absence that is taken for a delete',
    spoilt: { slice: takingAbsenceForDelete },
    seenAs: /takes server .* away, and nobody asked for that/,
  },
  {
    name: 'a stale position that is accepted',
    spoilt: { facts: acceptingStalePositions },
    seenAs: /which should be gone|names the orphan|have another/,
  },
  {
    name: 'a lost wake-up',
    spoilt: { store: losingWakeUps },
    seenAs: /did not settle/,
  },
  {
    name: 'an address that is freed before its server is gone',
    spoilt: { upwards: callingGoneTooSoon },
    seenAs: /is called deleted, its addresses are free, and .* still holds it/,
  },
  {
    name: "a mark whose 'previous' is not checked",
    spoilt: { transport: notCheckingPrevious },
    seenAs: /lack |have another|which should be gone|did not settle/,
  },
  {
    name: 'a quarantine that is not entered',
    spoilt: { top: neverQuarantined },
    seenAs: /in quarantine something was published|did not settle/,
  },
];

/** What is published goes on, whatever sites have shown. */
function neverQuarantined({ publisher }: Core): void {
  Object.assign(publisher, { quarantine: () => undefined });
}

/** The same object but for some of its methods. */
function but<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (of, name) => {
      const other: unknown = Reflect.get(methods, name);
      if (other !== undefined) return other;
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}

/** What a publisher that started over did not repeat is deleted, whatever stands behind it. */
function takingAbsenceForDelete(slice: SliceStore): SliceStore {
  const deleted = (change: SliceChange, position: number): SliceChange => ({
    ...change,
    changed: [...change.changed, ...change.orphaned.map((key) => ({ type: 'delete', ...key, position }) as const)],
    orphaned: [],
  });
  return but(slice, {
    plan: (facts, mark) => deleted(slice.plan(facts, mark), mark.position),
    apply: (facts, mark) => deleted(slice.apply(facts, mark), mark.position),
  });
}

/** The publisher does not remember how far a follower was: one that lost what it had stored goes on from where it says. */
function acceptingStalePositions<S extends FactStore>(facts: S): S {
  return but<S>(facts, { acknowledged: () => undefined } satisfies Partial<FactStore> as unknown as Partial<S>);
}

/** Whoever reads the log is told of a commit only where it waits for one: what comes while it reads, it never hears of. */
function losingWakeUps(store: EventStore, timers: Timers): EventStore {
  const wakes = new Set<() => void>();
  return but(store, {
    append: async (append) => {
      const result = await store.append(append);
      for (const wake of wakes) wake();
      return result;
    },
    subscribe: (after, handler, onError) => {
      let position = after;
      let isReading = false;
      const read = async (): Promise<void> => {
        const events: readonly RecordedEvent[] = await store.readAll(position, 500);
        await timers.sleep(3);
        await handler(events);
        position = events.at(-1)?.position ?? position;
      };
      const wake = (): void => {
        if (isReading) return;
        isReading = true;
        read().then(() => (isReading = false), onError);
      };
      wakes.add(wake);
      return { close: () => wakes.delete(wake) };
    },
  });
}

/** A Bottom says that a server is gone as soon as it hears that it is to go. */
function callingGoneTooSoon(transport: Transport): Transport {
  const toGo = new Set<string>();
  const listening = (handlers: FactsHandlers): FactsHandlers => ({
    onChunk: (text) => {
      const line = lineOf(text);
      if (line['type'] === 'delete' && line['kind'] === 'server') toGo.add(line['id'] as string);
      handlers.onChunk(text);
    },
    onEnd: (end) => handlers.onEnd(end),
  });
  return but(transport, {
    openFacts: (request, handlers) => transport.openFacts(request, listening(handlers)),
    post: (path, body, options) => {
      if (path !== 'observations') return transport.post(path, body, options);
      const report = body as Report;
      const { position } = report.cursor;
      const at = new Date(0).toISOString();
      const gone = [...toGo].map((id) => ({ kind: 'server', id, position, value: { status: 'gone' }, at }));
      return transport.post(path, { ...report, observations: [...report.observations, ...gone] }, options);
    },
  });
}

/** Each mark is taken to follow the one before it. */
function notCheckingPrevious(transport: Transport): Transport {
  const trusting = (after: number, handlers: FactsHandlers): FactsHandlers => {
    let previous = after;
    return {
      onChunk: (text) => {
        const line = lineOf(text);
        if (line['type'] !== 'mark') return handlers.onChunk(text);
        // Without its ordinal, which tells the same.
        handlers.onChunk(`${JSON.stringify({ ...line, previous, ordinal: undefined })}\n`);
        previous = line['position'] as number;
      },
      onEnd: (end) => handlers.onEnd(end),
    };
  };
  return but(transport, {
    openFacts: (request, handlers) => transport.openFacts(request, trusting(request.after, handlers)),
  });
}

/** The world's wires carry whole lines. */
function lineOf(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
