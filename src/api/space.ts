/** `system df` as the disk has it (Wherry's own): rows that add up to what the data root takes. Sizes are bytes on disk. */

export interface SpaceRow {
  Type: string;
  TotalCount: number;
  Active: number;
  Size: number;
  /** What pruning, or emptying the trash, would give back. */
  Reclaimable: number;
}

export interface SpaceDetails {
  Images: { Id: string; Name: string; Unpacked: number; Unique: number; Archives: number; Containers: number }[];
  Containers: { Id: string; Name: string; Image: string; State: string; Files: number; Log: number }[];
  Volumes: { Name: string; Size: number; Containers: number }[];
  Trash: { Name: string; RemovedAt: string; Size: number }[];
  Downloads: { Digest: string; Size: number; At: string; Whole: boolean }[];
}

export interface SpaceReport {
  /** The data root. */
  Root: string;
  Rows: SpaceRow[];
  /** The sum of the rows: what `du -x` says of the data root. */
  Total: number;
  /** Of the file system that the data root is on. */
  FileSystem: { Size: number; Available: number; Inodes: number; FreeInodes: number };
  Details: SpaceDetails;
}
