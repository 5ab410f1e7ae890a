/** `FROM --platform`, refused in the words of containerd's platforms library. */
import { type BuildPlatform, goQuote } from '../../dockerfile/index.ts';
import { parsePlatform } from '../../oci/index.ts';

const component = '^[A-Za-z0-9_.-]+$';
const osAndVersion = '^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$';
const systems =
  'aix android darwin dragonfly freebsd hurd illumos ios js linux macos nacl netbsd openbsd plan9 solaris windows zos';
const architectures =
  '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 ' +
  's390 s390x sparc sparc64 wasm x86_64 x86-64 i386 aarch64 armhf armel';
const knownWords = new Set(`${systems} ${architectures}`.split(' '));

/** @throws Error in BuildKit's words; `expression` is what was written, `text` what it came to */
export function parseStagePlatform(expression: string, text: string): BuildPlatform {
  const problem = platformProblem(text);
  if (problem !== undefined) throw new Error(`failed to parse platform ${expression}: ${problem}: invalid argument`);
  return parsePlatform(text);
}

function platformProblem(text: string): string | undefined {
  if (text.includes('*')) return `${goQuote(text)}: wildcards not yet supported`;
  const [os = '', ...rest] = splitAtMost(text, 4);
  if (!new RegExp(osAndVersion).test(os)) {
    return `${goQuote(os)} is an invalid OS component of ${goQuote(text)}: OSAndVersion specifier component must match ${goQuote(osAndVersion)}`;
  }
  const bad = rest.find((part) => !new RegExp(component).test(part));
  if (bad !== undefined) {
    return `${goQuote(bad)} is an invalid component of ${goQuote(text)}: platform specifier component must match ${goQuote(component)}`;
  }
  if (rest.length > 2) return `${goQuote(text)}: cannot parse platform specifier`;
  const isKnown = rest.length > 0 || knownWords.has(os.toLowerCase());
  return isKnown ? undefined : `${goQuote(text)}: unknown operating system or architecture`;
}

/** Go's `strings.SplitN`: the last part keeps the rest. */
function splitAtMost(text: string, count: number): string[] {
  const parts = text.split('/');
  return parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join('/')];
}
