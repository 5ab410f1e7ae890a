/** Dockerfile text to typed instructions, with places, problems, expansion and build checks. Pure: nothing here reads a file. */
export { parse, parseOrThrow, type Dockerfile, type Stage } from './parse.ts';
