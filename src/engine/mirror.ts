/** Checks an entry of `registry-mirrors` before anything is asked of it. */
import { Fault } from '../std/index.ts';

/** `URL`, or `REGISTRY=URL`. @returns it as it is. @throws Fault invalid in dockerd's words */
export function checkMirror(entry: string): string {
  const address = /^[^=/]+=(.*)$/s.exec(entry)?.[1] ?? entry;
  const wanted = "must use either 'https://' or 'http://'";
  if (!/^[^:]+:\/\//.test(address)) {
    throw new Fault('invalid', `invalid mirror: no scheme specified for ${JSON.stringify(address)}: ${wanted}`);
  }
  if (!URL.canParse(address)) {
    throw new Fault('invalid', `invalid mirror: ${JSON.stringify(address)} is not a valid URI`);
  }
  const url = new URL(address);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const scheme = JSON.stringify(url.protocol.slice(0, -1));
    throw new Fault('invalid', `invalid mirror: unsupported scheme ${scheme} in ${JSON.stringify(address)}: ${wanted}`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw new Fault('invalid', `invalid mirror: query or fragment at end of the URI ${JSON.stringify(address)}`);
  }
  if (url.username !== '' || url.password !== '') {
    url.password = 'xxxxx';
    throw new Fault('invalid', `invalid mirror: username/password not allowed in URI ${JSON.stringify(url.href)}`);
  }
  return entry;
}
