export * from './facts';
export * from './logical-network';
export * from './observations';
export * from './seals';
export * from './span';
