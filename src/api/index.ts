/** The dictionary of the wire: Engine API types, the engine's shape, filters. Pure. */
export type * from './engine.ts';
export {
  acceptFilters,
  booleanFilter,
  matchesExact,
  matchesLabels,
  matchesPattern,
  noFilters,
  parseFilters,
} from './filters.ts';
export type * from './types.ts';
