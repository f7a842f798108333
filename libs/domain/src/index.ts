export * from './commands';
export * from './events';
export * from './streams';
export * from './transaction';
