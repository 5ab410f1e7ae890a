/** Which names volumes may have. Pure. */
import { Fault } from '../std/index.ts';

/** @throws Fault invalid with Docker's texts */
export function checkVolumeName(name: string): void {
  if (name.length === 1)
    throw new Fault(
      'invalid',
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw new Fault(
      'invalid',
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        'If you intended to pass a host directory, use absolute path',
    );
  }
  if (name.length > 200)
    throw new Fault('invalid', `volume name is too long: ${name.length} characters, at most 200 are allowed`);
}
