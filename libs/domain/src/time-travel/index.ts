export { diffRows, DIFF_TABLES, type Tables } from './diff';
export type { Difference, FieldChange } from './difference';
export {
  type AttributedDifference,
  Attribution,
  type AuthoredEvent,
  type Authorship,
  historyOf,
  type HistoryEntry,
} from './history';
export { heldStreams, isResourceKind, RESOURCE_KINDS, type ResourceKind, streamsOf } from './resources';
