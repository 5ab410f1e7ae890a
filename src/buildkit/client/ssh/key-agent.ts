/** An agent of our own, for keys named by their files (`--ssh default=~/.ssh/id_ed25519`): they never leave this process. */
import { sign } from 'node:crypto';
import type { Agent } from './agent.ts';
import { agentMessage, sshInteger, SshReader, sshString, sshUint32 } from './messages.ts';
import type { SshKey } from './private-key.ts';

/** Flags of a sign request (RFC 8332's hashes for RSA). */
const sha256Flag = 2;
const sha512Flag = 4;

export class KeyAgent implements Agent {
  readonly #keys: readonly SshKey[];

  constructor(keys: readonly SshKey[]) {
    this.#keys = keys;
  }

  async ask(request: Buffer): Promise<Buffer> {
    const reader = new SshReader(request.subarray(1));
    if (request[0] === agentMessage.requestIdentities) return this.#identities();
    if (request[0] !== agentMessage.signRequest) return Buffer.from([agentMessage.failure]);
    const blob = reader.string();
    const data = reader.string();
    const flags = reader.uint32();
    const key = this.#keys.find((each) => each.blob.equals(blob));
    if (key === undefined) return Buffer.from([agentMessage.failure]);
    return Buffer.concat([Buffer.from([agentMessage.signResponse]), sshString(signature(key, data, flags))]);
  }

  #identities(): Buffer {
    return Buffer.concat([
      Buffer.from([agentMessage.identitiesAnswer]),
      sshUint32(this.#keys.length),
      ...this.#keys.flatMap(({ blob }) => [sshString(blob), sshString('')]),
    ]);
  }

  [Symbol.dispose](): void {}
}

function signature({ type, key }: SshKey, data: Buffer, flags: number): Buffer {
  if (type === 'ssh-ed25519') return Buffer.concat([sshString(type), sshString(sign(null, data, key))]);
  if (type === 'ssh-rsa') {
    const [name, hash] =
      (flags & sha512Flag) !== 0
        ? ['rsa-sha2-512', 'sha512']
        : (flags & sha256Flag) !== 0
          ? ['rsa-sha2-256', 'sha256']
          : ['ssh-rsa', 'sha1'];
    return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
  }
  const hash = { nistp256: 'sha256', nistp384: 'sha384', nistp521: 'sha512' }[type.slice('ecdsa-sha2-'.length)];
  const pair = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  const [r, s] = [pair.subarray(0, pair.length / 2), pair.subarray(pair.length / 2)];
  return Buffer.concat([sshString(type), sshString(Buffer.concat([sshInteger(r), sshInteger(s)]))]);
}
