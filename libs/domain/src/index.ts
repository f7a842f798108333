export * from './events';
export * from './streams';
