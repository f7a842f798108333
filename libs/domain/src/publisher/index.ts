export * from './commands';
export * from './errors';
export * from './publisher';
