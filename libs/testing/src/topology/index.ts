export * from './frames';
export * from './plan';
export * from './programmed';
