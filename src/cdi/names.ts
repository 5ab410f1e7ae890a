/** Names of the Container Device Interface: `vendor.com/class=device`. Pure. */

export interface DeviceName {
  /** `vendor.com/class` */
  kind: string;
  name: string;
}

const kindPattern = /^[A-Za-z](?:[\w.-]*[A-Za-z0-9])?\/[A-Za-z](?:[\w-]*[A-Za-z0-9])?$/;
const namePattern = /^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/;

/** undefined when it is none. */
export function parseDeviceName(text: string): DeviceName | undefined {
  const equals = text.indexOf('=');
  const [kind, name] = [text.slice(0, Math.max(equals, 0)), text.slice(equals + 1)];
  return isKind(kind) && isName(name) ? { kind, name } : undefined;
}

export function isKind(text: string): boolean {
  return kindPattern.test(text);
}

export function isName(text: string): boolean {
  return namePattern.test(text);
}
