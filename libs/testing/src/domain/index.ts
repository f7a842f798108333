export * from './builders';
export * from './given';
export * from './history';
export * from './examples';
