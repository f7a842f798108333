export * from './controller-state';
export * from './instances';
export * from './switch';
