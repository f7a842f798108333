export { diffRows, DIFF_TABLES, type Tables } from './diff';
export { type Difference, type FieldChange, forTenants, idOfRow, keyOfId, ownerOf } from './difference';
export { eventForTenants, eventsForTenants, streamForTenants } from './event-for-tenants';
export {
  type AttributedDifference,
  Attribution,
  type AuthoredEvent,
  type Authorship,
  authorshipOf,
  historyOf,
  type HistoryEntry,
  touchedBy,
} from './history';
export { heldStreams, isResourceKind, RESOURCE_KINDS, type ResourceKind, RESOURCES, streamsOf } from './resources';
