/** The allocator's memory, which Node knows nothing of. */
import { libc } from './libc.ts';

/**
 * Gives back to the kernel what is allocated no more (malloc_trim(3)); some milliseconds. glibc does so by itself only at the end of its
 * heap, where one small piece that lives holds everything below it. Does nothing on another C library.
 */
export function trimHeap(): void {
  try {
    libc('int malloc_trim(size_t pad)')(0);
  } catch {
    // musl has none, and does not need it as much.
  }
}
