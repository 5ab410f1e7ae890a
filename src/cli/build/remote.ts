/** Contexts that the daemon fetches: http(s) URLs and git repositories (moby, builder/remotecontext/urlutil). */

export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

export function isRemote(text: string): boolean {
  return isHttpUrl(text) || /^(?:git|ssh):\/\/|^github\.com\/|^[\w.-]+@[\w.-]+:/.test(text);
}
