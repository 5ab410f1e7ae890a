/** What the kernel refuses while a layer is unpacked, as the person reads it who pulls or loads it. */
import { errorCode, explainDiskError, Fault, isDiskFull, messageOf } from '../std/index.ts';

/** What an archive can ask for and no file system gives. */
const archiveErrors: Readonly<Record<string, string>> = {
  ENAMETOOLONG: 'file name too long',
  EFBIG: 'file too large',
  ELOOP: 'too many levels of symbolic links',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EINVAL: 'invalid argument',
  EILSEQ: 'invalid file name',
  EMLINK: 'too many links',
  EOVERFLOW: 'value too large',
  ERANGE: 'value out of range',
};

/** `name` is the entry being unpacked when it happened. */
export function unpackFault(error: unknown, name: Buffer | undefined): unknown {
  const shown = name === undefined ? '' : ` /${name.subarray(0, 256).toString()}`;
  if (isDiskFull(error)) {
    // Docker's words: clients and people look for them.
    if (error instanceof Fault)
      return new Fault('internal', `failed to register layer: ${messageOf(error)}`, { cause: error });
    return explainDiskError(new Fault('internal', `failed to register layer: write${shown}`, { cause: error }));
  }
  if (error instanceof Fault) return error;
  const words = archiveErrors[errorCode(error) ?? ''];
  if (words === undefined) return error;
  return new Fault('invalid', `Cannot unpack layer:${shown}: ${words}`, { cause: error });
}
