/** Repeatable chance: Park and Miller's generator. The same seed makes the same run. */
export type Random = (below: number) => number;

/** @returns whole numbers from 0 up to and without `below` */
export function seeded(seed: number): Random {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor((state / 2_147_483_647) * below);
  };
}
