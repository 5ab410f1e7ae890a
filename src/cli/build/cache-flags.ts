/** `--cache-from` and `--cache-to` (docker/buildx, util/buildflags/cache.go). */
import { resolve } from 'node:path';
import type { Attributed } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';
import { flagFields } from './fields.ts';

/** Names alone are images in a registry. @throws Fault invalid */
export function parseCaches(values: readonly string[]): Attributed[] {
  return values.flatMap((value) => {
    const fields = flagFields(value);
    if (fields.every((field) => field.value === undefined)) {
      return fields.map(({ text }) => ({ type: 'registry', attributes: new Map([['ref', text]]) }));
    }
    const attributes = new Map<string, string>();
    for (const { text, key, value: given } of fields) {
      if (given === undefined) throw new Fault('invalid', `invalid value ${text}`);
      attributes.set(key, key === 'src' || key === 'dest' ? resolve(given) : given);
    }
    const type = attributes.get('type');
    if (type === undefined || type === '') {
      throw new Fault(
        'invalid',
        `type required form> ${JSON.stringify(value)}: write type=registry,ref=NAME, type=local,… or type=inline`,
      );
    }
    attributes.delete('type');
    return [{ type, attributes }];
  });
}
