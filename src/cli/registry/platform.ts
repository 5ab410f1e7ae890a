/** `--platform os[/arch[/variant]]` as the API wants it since 1.46: JSON. */
import { Fault } from '../../std/index.ts';

const operatingSystems = new Set(['linux', 'windows', 'darwin', 'freebsd']);
const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
};

/** One word is an operating system or an architecture; the other half is this machine's, or Linux. @throws Fault invalid */
export function platformJson(text: string): string {
  const parts = text.split('/');
  if (parts.length > 3) {
    throw new Fault('invalid', `invalid platform: "${text}": cannot parse platform specifier: invalid argument`);
  }
  const bad = parts.find((part) => !/^[A-Za-z0-9_.-]+$/.test(part));
  if (bad !== undefined) {
    throw new Fault(
      'invalid',
      `invalid platform: "${bad}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
    );
  }
  const [first = '', second, variant] = parts.map((part) => part.toLowerCase());
  if (second !== undefined) return encode(first, second, variant);
  return operatingSystems.has(first) ? encode(first, process.arch) : encode('linux', first);
}

function encode(os: string, architecture: string, variant?: string): string {
  return JSON.stringify({
    architecture: architectures[architecture] ?? architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
  });
}
