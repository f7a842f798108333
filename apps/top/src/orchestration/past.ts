import { AsyncLocalStorage } from 'node:async_hooks';

/** The position that the request under way is to be answered as of; undefined for the present. */
export const asOfPosition = new AsyncLocalStorage<number>();
