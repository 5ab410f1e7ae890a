/** Private keys from files as `ssh-keygen` and OpenSSL write them, unencrypted: "OPENSSH PRIVATE KEY" (PROTOCOL.key of OpenSSH) and PEM. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Fault, messageOf } from '../../../std/index.ts';
import { sshInteger, SshReader, sshString } from './messages.ts';

export interface SshKey {
  /** The public key as SSH writes it. */
  readonly blob: Buffer;
  /** "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", … */
  readonly type: string;
  readonly key: KeyObject;
}

/** @throws Fault invalid */
export function parsePrivateKey(text: string, file: string): SshKey {
  try {
    const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text)?.[1];
    const key = body === undefined ? createPrivateKey(text) : createPrivateKey({ format: 'jwk', key: openSsh(body) });
    return { key, ...publicPart(key) };
  } catch (error) {
    const why = /\bENCRYPTED\b/.test(text) ? encrypted : messageOf(error);
    throw new Fault('invalid', `Cannot use SSH key ${file}: ${why}`, { cause: error });
  }
}

const encrypted = 'it has a passphrase. Add it to an agent with ssh-add and use --ssh default';

/** JWK's curves, SSH's and how long a coordinate is. */
const curves = [
  { crv: 'P-256', name: 'nistp256', bytes: 32 },
  { crv: 'P-384', name: 'nistp384', bytes: 48 },
  { crv: 'P-521', name: 'nistp521', bytes: 66 },
] as const;

function openSsh(base64: string): JsonWebKey {
  const outer = new SshReader(Buffer.from(base64, 'base64'));
  if (outer.take(15).toString('latin1') !== 'openssh-key-v1\0') throw new Fault('invalid', 'it is no OpenSSH key');
  if (outer.text() !== 'none') throw new Fault('invalid', encrypted);
  outer.string();
  outer.string();
  if (outer.uint32() !== 1) throw new Fault('invalid', 'it holds several keys');
  outer.string();
  const inner = new SshReader(outer.string());
  if (inner.uint32() !== inner.uint32()) throw new Fault('invalid', 'it is damaged');
  const type = inner.text();
  const url = (bytes: Buffer): string => unsigned(bytes).toString('base64url');
  if (type === 'ssh-ed25519') {
    const x = inner.string();
    const d = inner.string().subarray(0, 32);
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url'), d: d.toString('base64url') };
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => inner.string());
    const dp = modulo(d!, p!);
    const dq = modulo(d!, q!);
    return { kty: 'RSA', n: url(n!), e: url(e!), d: url(d!), p: url(p!), q: url(q!), dp, dq, qi: url(qi!) };
  }
  const curve = curves.find(({ name }) => type === `ecdsa-sha2-${name}`);
  if (curve === undefined) throw new Fault('invalid', `keys of type ${type} are not known here`);
  inner.string();
  const point = inner.string();
  const d = unsigned(inner.string());
  return {
    kty: 'EC',
    crv: curve.crv,
    x: point.subarray(1, 1 + curve.bytes).toString('base64url'),
    y: point.subarray(1 + curve.bytes).toString('base64url'),
    d: Buffer.concat([Buffer.alloc(curve.bytes - d.length), d]).toString('base64url'),
  };
}

function publicPart(key: KeyObject): { type: string; blob: Buffer } {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const bytes = (value: string | undefined): Buffer => Buffer.from(value ?? '', 'base64url');
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    return { type: 'ssh-ed25519', blob: Buffer.concat([sshString('ssh-ed25519'), sshString(bytes(jwk.x))]) };
  }
  if (jwk.kty === 'RSA') {
    return {
      type: 'ssh-rsa',
      blob: Buffer.concat([sshString('ssh-rsa'), sshInteger(bytes(jwk.e)), sshInteger(bytes(jwk.n))]),
    };
  }
  const curve = curves.find(({ crv }) => crv === jwk.crv);
  if (curve === undefined) throw new Fault('invalid', `keys of type ${jwk.crv ?? jwk.kty} are not known here`);
  const point = Buffer.concat([Buffer.from([4]), bytes(jwk.x), bytes(jwk.y)]);
  const type = `ecdsa-sha2-${curve.name}`;
  return { type, blob: Buffer.concat([sshString(type), sshString(curve.name), sshString(point)]) };
}

function unsigned(bytes: Buffer): Buffer {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at++;
  return bytes.subarray(at);
}

/** RSA's d modulo a prime less one, which OpenSSH does not keep. */
function modulo(d: Buffer, prime: Buffer): string {
  const big = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
  const hex = (big(d) % (big(prime) - 1n)).toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}
