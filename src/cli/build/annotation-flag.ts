/** `--annotation [TYPE[PLATFORM]:]KEY=VALUE` (docker/buildx, util/buildflags/export.go). */
import { Fault } from '../../std/index.ts';

const types = ['index', 'index-descriptor', 'manifest', 'manifest-descriptor'];

/** As attributes of an output: "annotation.KEY", "annotation-manifest[linux/amd64].KEY". @throws Fault invalid */
export function parseAnnotations(values: readonly string[]): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const value of values) {
    const equals = value.indexOf('=');
    if (equals < 0)
      throw new Fault('invalid', `parse annotations: invalid annotation ${JSON.stringify(value)}, expected key=value`);
    const name = value.slice(0, equals);
    const colon = name.indexOf(':');
    if (colon < 0) {
      attributes.set(`annotation.${name}`, value.slice(equals + 1));
      continue;
    }
    for (const kind of name.slice(0, colon).split(',')) {
      const match = /^([a-z-]+)(\[[A-Za-z0-9_/-]+\])?$/.exec(kind);
      if (match === null) {
        throw new Fault(
          'invalid',
          `parse annotations: invalid annotation type, expected type[platform], got ${JSON.stringify(kind)}`,
        );
      }
      const [, type, platform = ''] = match;
      if (!types.includes(type!))
        throw new Fault('invalid', `parse annotations: unknown annotation type ${JSON.stringify(type)}`);
      attributes.set(`annotation-${type}${platform}.${name.slice(colon + 1)}`, value.slice(equals + 1));
    }
  }
  return attributes;
}
