/** API versions: which are spoken, and how they compare. Inside, a version is its minor number (51 is "1.51"). */

export const latestVersion = 51;
export const minimumVersion = 24;

/** "1.51" for 51. */
export function versionText(version: number): string {
  return `1.${version}`;
}

/**
 * Reads a version as found in a path ("1.41"). Anything above the 1.x line counts as too new, below as too old.
 * @returns the minor number, or why it is refused, in Docker's words.
 */
export function parseVersion(text: string): { version: number } | { refusal: string } {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  if (major > 1 || (major === 1 && minor > latestVersion)) {
    const highest = versionText(latestVersion);
    return { refusal: `client version ${text} is too new. Maximum supported API version is ${highest}` };
  }
  if (major < 1 || minor < minimumVersion || Number.isNaN(minor)) {
    const lowest = versionText(minimumVersion);
    return {
      refusal: `client version ${text} is too old. Minimum supported API version is ${lowest}, please upgrade your client to a newer version`,
    };
  }
  return { version: minor };
}
