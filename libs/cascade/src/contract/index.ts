export * from './cascade';
export * from './fact-store';
export * from './random';
export * from './slice';
export * from './world';
