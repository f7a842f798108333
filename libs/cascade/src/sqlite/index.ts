export * from './fact-store';
export { type Durability, orNoSpace } from './open';
export * from './slice';
