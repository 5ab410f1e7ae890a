/** Embeddings as bytes: one a dimension, of a vector of length 127. Pure. */

export function quantized(vector: readonly number[]): Buffer {
  const length = Math.hypot(...vector) || 1;
  return Buffer.from(Int8Array.from(vector, (value) => Math.round((value / length) * 127)).buffer);
}

/** Of two of these: −1 to 1; 0 where their dimensions differ. */
export function cosine(a: Buffer, b: Buffer): number {
  if (a.length !== b.length) return 0;
  const [x, y] = [new Int8Array(a.buffer, a.byteOffset, a.length), new Int8Array(b.buffer, b.byteOffset, b.length)];
  let [dot, xx, yy] = [0, 0, 0];
  for (let index = 0; index < x.length; index++) {
    dot += x[index]! * y[index]!;
    xx += x[index]! ** 2;
    yy += y[index]! ** 2;
  }
  return xx === 0 || yy === 0 ? 0 : dot / Math.sqrt(xx * yy);
}
