/** A registry's refusal of a pull, in the words and with the status Docker gives it. */
import { familiarName, familiarReference, type Reference } from '../oci/index.ts';
import { RegistryFault } from '../registry/index.ts';
import { Fault } from '../std/index.ts';

export function pullFault(error: unknown, reference: Reference): unknown {
  // The CLI would ask for a password at a 401, Docker's never does here.
  if (error instanceof Fault && error.kind === 'unauthorized')
    return new Fault('internal', error.message, { cause: error });
  if (!(error instanceof RegistryFault)) return error;
  const notFound = (text: string): Fault => new Fault('not-found', `${text}: ${error.detail}`, { cause: error });
  switch (error.code) {
    case 'DENIED':
      return notFound(
        `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login'`,
      );
    case 'MANIFEST_UNKNOWN':
      return notFound(`manifest for ${familiarReference(reference)} not found`);
    case 'NAME_UNKNOWN':
      return notFound(`repository ${familiarName(reference)} not found`);
    default:
      return error;
  }
}
