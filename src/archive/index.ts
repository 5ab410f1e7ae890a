/** The local file system at either end of a copy, and Docker's rules for where a copy goes. */
export {
  type CopyPlan,
  type CopySource,
  type CopyTarget,
  isGoDirectory,
  isGoSymlink,
  planCopy,
  splitEntry,
} from './copy-plan.ts';
export { describeSource, describeTarget, localEntries, unpackLocally } from './local.ts';
