/** `system verify` (Wherry's own): what is on disk against what should be, in a form that people and programs read. */

import type { RecordFault } from '../std/index.ts';

export interface VerifyFinding {
  Kind: 'blob' | 'layer' | 'image' | 'container' | 'volume' | 'network' | 'cache' | 'file';
  /** As people call it. */
  Name: string;
  /**
   * missing: it should be there; damaged: it is not what it should be; stray: nothing needs it; broken: a record that could not be
   * read and was set aside; lost: it was to be mended, and could not.
   */
  Problem: 'missing' | 'damaged' | 'stray' | 'broken' | 'lost';
  Detail: string;
  /** "" where it is not about one file or folder. */
  Path: string;
  /** Bytes on disk that it is about. */
  Size: number;
  Repaired: boolean;
  /** What was done, or what to do: a sentence, with the command to type where there is one. */
  Action: string;
}

export interface VerifySummary {
  Images: number;
  Blobs: number;
  BlobBytes: number;
  Layers: number;
  /** Layers that were compared with the archives they came from. */
  LayersCompared: number;
  Containers: number;
  Volumes: number;
  Networks: number;
  Problems: number;
  Repaired: number;
}

/** One line of the stream; each has one of the fields. */
export interface VerifyMessage {
  /** `Total` is 0 where it is not known. */
  Progress?: { Step: string; Done: number; Total: number };
  Finding?: VerifyFinding;
  /** What could not be checked, and why. */
  Note?: string;
  Summary?: VerifySummary;
}

/** A finding on its way to the report, with what would mend it; without `repair` only people can. */
export interface Problem extends Omit<VerifyFinding, 'Repaired'> {
  /** 'remove': delete `Path`. A function mends it and tells how. */
  repair?: 'remove' | (() => Promise<string>);
}

const mend = 'wherry system verify --repair';

/** A file or folder of the engine's own making that nothing needs. */
export function strayFile(Path: string, Size: number, Detail: string): Problem {
  return {
    Kind: 'file',
    Name: Path,
    Problem: 'stray',
    Detail,
    Path,
    Size,
    Action: `remove it: ${mend}`,
    repair: 'remove',
  };
}

/** A file or folder that may be a person's. */
export function foreignFile(Path: string, Size: number, Detail: string): Problem {
  return {
    Kind: 'file',
    Name: Path,
    Problem: 'stray',
    Detail,
    Path,
    Size,
    Action: `look into it, then: rm -r ${Path}`,
  };
}

/** A fault of a folder of records. `write` writes the record of an id again. */
export function recordProblem(
  Kind: Problem['Kind'],
  fault: RecordFault,
  write?: (id: string) => Promise<void>,
): Problem {
  const { path: Path, size: Size, id } = fault;
  if (fault.kind === 'stray') return strayFile(Path, Size, 'it is no record of the engine');
  const common = { Kind, Name: id ?? Path, Path, Size };
  if (fault.kind === 'set-aside') {
    // A person may read more in it than a program.
    const Detail = 'a record that could not be read was set aside';
    return { ...common, Problem: 'broken', Detail, Action: `look into it, then: rm ${Path}` };
  }
  const found: Problem = {
    ...common,
    Problem: 'missing',
    Detail: 'the file of its record is gone',
    Action: `write it again: ${mend}`,
  };
  if (write === undefined || id === undefined) return found;
  return {
    ...found,
    repair: async () => {
      await write(id);
      return 'written again';
    },
  };
}
