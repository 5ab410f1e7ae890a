/** `key=value,key=value`, as most flags of builds are written. */
import { csvFields } from '../run/csv.ts';

export interface FlagField {
  text: string;
  /** In lower case. */
  key: string;
  /** undefined without an equals sign. */
  value: string | undefined;
}

export function flagFields(text: string): FlagField[] {
  return csvFields(text).map((field) => {
    const equals = field.indexOf('=');
    return equals < 0
      ? { text: field, key: field.trim().toLowerCase(), value: undefined }
      : { text: field, key: field.slice(0, equals).trim().toLowerCase(), value: field.slice(equals + 1) };
  });
}
