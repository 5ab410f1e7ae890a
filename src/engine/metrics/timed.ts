/** The same object, with some of its methods timed. What fails is not counted, as in Docker's own timers. */

export function timed<T extends object>(
  door: T,
  actions: Partial<Record<keyof T & string, string>>,
  observe: (action: string, seconds: number) => void,
): T {
  const wrapped = new Map<PropertyKey, unknown>();
  return new Proxy(door, {
    get(target, key) {
      const known = wrapped.get(key);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const action = (actions as Record<PropertyKey, string | undefined>)[key];
      const plain = (...words: unknown[]): unknown => Reflect.apply(value, target, words);
      const method =
        action === undefined
          ? plain
          : async (...words: unknown[]): Promise<unknown> => {
              const started = performance.now();
              const result = await plain(...words);
              observe(action, (performance.now() - started) / 1000);
              return result;
            };
      wrapped.set(key, method);
      return method;
    },
  });
}
