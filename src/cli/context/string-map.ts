/** pflag's stringToString: `a=b,c=d`, repeatable. */
export function stringMap(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values
      .flatMap((value) => value.split(','))
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}
