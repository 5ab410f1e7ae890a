/** Keys that ssh-keygen writes, and signatures that ssh-keygen's own public keys verify. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyAgent } from './key-agent.ts';
import { agentMessage, SshReader, sshString, sshUint32 } from './messages.ts';
import { parsePrivateKey } from './private-key.ts';

const skip = hasKeygen() ? false : 'ssh-keygen is not here';

function hasKeygen(): boolean {
  try {
    execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== 'ENOENT';
  }
}

class Keys implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'wherry-keys-'));

  make(...args: readonly string[]): { text: string; file: string; publicBlob: Buffer } {
    const file = join(this.folder, `key${Math.random()}`);
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', '', '-f', file, ...args]);
    const blob = readFileSync(`${file}.pub`, 'utf8').split(' ')[1]!;
    return { file, text: readFileSync(file, 'utf8'), publicBlob: Buffer.from(blob, 'base64') };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const kinds: readonly (readonly string[])[] = [
  ['-t', 'ed25519'],
  ['-t', 'rsa', '-b', '2048'],
  ['-t', 'rsa', '-b', '2048', '-m', 'PEM'],
  ['-t', 'ecdsa', '-b', '256'],
  ['-t', 'ecdsa', '-b', '384'],
  ['-t', 'ecdsa', '-b', '521'],
  ['-t', 'ecdsa', '-b', '256', '-m', 'PEM'],
];

for (const kind of kinds) {
  test(`${kind.join(' ')}: the same public key, and signatures that hold`, { skip }, async () => {
    using keys = new Keys();
    const made = keys.make(...kind);
    const key = parsePrivateKey(made.text, made.file);
    assert.ok(key.blob.equals(made.publicBlob));
    using agent = new KeyAgent([key]);
    const listed = new SshReader((await agent.ask(Buffer.from([agentMessage.requestIdentities]))).subarray(1));
    assert.equal(listed.uint32(), 1);
    assert.ok(listed.string().equals(made.publicBlob));
    const data = Buffer.from('to be signed');
    const request = Buffer.concat([
      Buffer.from([agentMessage.signRequest]),
      sshString(made.publicBlob),
      sshString(data),
      sshUint32(4),
    ]);
    const answer = await agent.ask(request);
    assert.equal(answer[0], agentMessage.signResponse);
    const signature = new SshReader(new SshReader(answer.subarray(1)).string());
    const algorithm = signature.text();
    const bytes = signature.string();
    const publicKey = createPublicKey(key.key);
    if (algorithm === 'ssh-ed25519') assert.ok(verify(null, data, publicKey, bytes));
    else if (algorithm === 'rsa-sha2-512') assert.ok(verify('sha512', data, publicKey, bytes));
    else {
      const pair = new SshReader(bytes);
      const size = { nistp256: 32, nistp384: 48, nistp521: 66 }[algorithm.slice('ecdsa-sha2-'.length)]!;
      const fixed = (value: Buffer): Buffer => Buffer.concat([Buffer.alloc(size), value]).subarray(-size);
      const joined = Buffer.concat([fixed(pair.string()), fixed(pair.string())]);
      const hash = { 32: 'sha256', 48: 'sha384', 66: 'sha512' }[size];
      assert.ok(verify(hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, joined));
    }
  });
}

test('a key with a passphrase says what to do, other text that it is no key', { skip }, () => {
  using keys = new Keys();
  for (const format of [[], ['-m', 'PEM']]) {
    const { file } = keys.make('-t', 'rsa', '-b', '2048', ...format);
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'secret', '-f', file, ...format]);
    assert.throws(() => parsePrivateKey(readFileSync(file, 'utf8'), file), /passphrase.*ssh-add/s);
  }
  assert.throws(() => parsePrivateKey('hello', 'a-file'), { kind: 'invalid', message: /Cannot use SSH key a-file/ });
});

test('what is no request of its keys fails, and does not throw', async () => {
  using agent = new KeyAgent([]);
  const sign = Buffer.concat([Buffer.from([agentMessage.signRequest]), sshString('x'), sshString('y'), sshUint32(0)]);
  assert.deepEqual(await agent.ask(sign), Buffer.from([agentMessage.failure]));
  assert.deepEqual(await agent.ask(Buffer.from([agentMessage.extension])), Buffer.from([agentMessage.failure]));
});
