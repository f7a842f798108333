export * from './facts';
export * from './observations';
