export * from './decode';
export * from './to-switch';
export { MAX_MESSAGE, MessageWriter } from './writer';
export type { Command, Modification } from './protocol';
