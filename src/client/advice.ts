/** What to do about a daemon's refusal, where its words say enough: the command to type. */

export function refusalAdvice(status: number, message: string): string | undefined {
  if (status === 404 && message === 'page not found') {
    return "The daemon does not know this call: it is older than this client, or not Wherry's.";
  }
  const image = /^No such image: (\S+)$/.exec(message)?.[1];
  if (image !== undefined) return `See what is here with 'wherry images', or get it with 'wherry pull ${image}'.`;
  if (message.startsWith('No such container: ')) return "See what is here with 'wherry ps -a'.";
  if (/^network \S+ not found$/.test(message)) {
    return `See what is here with 'wherry network ls', or make it with 'wherry network create ${message.split(' ')[1]}'.`;
  }
  if (/^get \S+: no such volume$/.test(message)) return "See what is here with 'wherry volume ls'.";
  const taken = /^Conflict\. The container name "\/?([^"]+)" is already in use/.exec(message)?.[1];
  if (taken !== undefined) return `Remove it with 'wherry rm -f ${taken}', or choose another --name.`;
  if (/port is already allocated/.test(message)) return "See who has it with 'wherry ps', or publish another port.";
  return undefined;
}
