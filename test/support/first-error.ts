/** Runs a body with loans; when giving them back fails as well, what is thrown is what went wrong first. */
export async function firstError<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    let first: unknown = error;
    while (first instanceof SuppressedError) first = first.suppressed;
    throw first;
  }
}
