/** Places in a Dockerfile. A range is half open: `end` is the place after its last character. */

export interface Position {
  /** From 1. */
  readonly line: number;
  /** In characters (code points), from 1. */
  readonly column: number;
  /** In bytes of the file, from 0; a byte-order mark counts. */
  readonly offset: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** Text that stands in the file, unquoted and unescaped as the instruction's rules say, and where it stands. */
export interface Word {
  readonly text: string;
  readonly range: Range;
}

/** Whether `inner` lies within `outer`. */
export function contains(outer: Range, inner: Range): boolean {
  return outer.start.offset <= inner.start.offset && inner.end.offset <= outer.end.offset;
}

/** `2:5`, or `2:5-3:1`. */
export function formatRange({ start, end }: Range): string {
  const from = `${start.line}:${start.column}`;
  return start.offset === end.offset ? from : `${from}-${end.line}:${end.column}`;
}
