export { FlowRefused } from './accepts';
export * from './fabric';
export * from './switch-model';
