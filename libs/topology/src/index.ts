export * from './facts';
export * from './held-facts';
export * from './logical-network';
export * from './observations';
export * from './seals';
export * from './preview';
export * from './rehearsal';
export * from './span';
