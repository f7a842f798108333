import { MemoryFactStore } from '@weir/cascade/memory';
import { views } from '@weir/domain';
import { MemoryEventStore } from '@weir/event-store/memory';
import type { Timers } from '@weir/kernel';
import { MemoryKeptAnswers } from '../orchestration/kept-answers';
import { MemoryObserved } from '../sites/observed';
import type { Storage } from './storage';

/** For a Top that needs to outlive nothing: no file, no native module. */
export function memoryStorage(timers: Timers): Storage {
  const store = new MemoryEventStore({ views, timers });
  return {
    store,
    rows: store.reader,
    observed: new MemoryObserved(),
    answers: new MemoryKeptAnswers(),
    openFacts: (generation) => new MemoryFactStore({ generation }),
    close: () => store.close(),
  };
}
