export { Bottom, type BottomOptions } from './bottom';
export { joinTop } from './join';
export { jsonLogger } from './json-logger';
export { MemorySiteRecords } from './memory-records';
export { STATE_HOLDING } from './site';
