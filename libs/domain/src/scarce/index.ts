export * from './errors';
export * from './pick';
export * from './scarce';
