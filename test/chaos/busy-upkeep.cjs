// Makes the stores of this process seal, rebuild and prune all the time, which else takes a minute, an operator or a day;
// only where WEIR_BUSY_UPKEEP says so. What fails on the way is tried again.
const { SqliteEventStore } = require('@weir/event-store/sqlite');

const PAUSE_MS = 30;
/** Versions that are kept, by position. */
const KEPT = 100;
const { subscribe } = SqliteEventStore.prototype;

SqliteEventStore.prototype.subscribe = function (...args) {
  if (process.env.WEIR_BUSY_UPKEEP === '1') void keepUp(this);
  return subscribe.apply(this, args);
};

async function keepUp(store) {
  for (;;) {
    for (const work of [() => store.seal(), () => store.rebuild(), () => prune(store)]) {
      await work().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function prune(store) {
  await store.pruneVersions(Math.max(0, (await store.head()) - KEPT));
}
