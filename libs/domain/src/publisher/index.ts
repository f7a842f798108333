export * from './commands';
export * from './publisher';
