import 'reflect-metadata';

export { pointClouds, writeClouds } from './clouds';
export { DEFAULT_PORT } from './configuration';
export { addressOf, listen } from './listen';
export { memoryStorage } from './storage/memory-storage';
export type { Storage } from './storage/storage';
export { createTop, type Top, type TopOptions } from './top';
