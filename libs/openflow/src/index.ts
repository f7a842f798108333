export * from './model';
export * from './switch';
