export { canonical, canonicalGroup, canonicalMatch } from './canonical';
export * from './connection';
export * from './difference';
export * from './errors';
export * from './format';
export * from './model';
export * from './switch';
