export * from './builders';
export * from './given';
