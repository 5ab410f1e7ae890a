/** `--platform OS/ARCH[/VARIANT]`, as the builder takes it. */
import { Fault } from '../../std/index.ts';
import { platformJson } from '../registry/platform.ts';

/** undefined: the builder's own. @throws Fault invalid */
export function platformOption(values: readonly string[], fallback: string | undefined): string | undefined {
  const given = values.length > 0 ? values : [fallback ?? ''];
  const wanted = given.flatMap((value) => value.split(',')).filter((each) => each !== '' && each !== 'local');
  const [first, ...others] = new Set(wanted.map(platformText));
  if (others.length > 0) {
    throw new Fault(
      'not-implemented',
      'Multi-platform build is not supported: build each --platform on its own, with a tag of its own',
    );
  }
  return first;
}

function platformText(text: string): string {
  const { os, architecture, variant } = JSON.parse(platformJson(text)) as Record<string, string | undefined>;
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}
