export * from './fact-store';
export type { Durability } from './open';
export * from './slice';
