/** Platforms (os/architecture/variant), normalised and matched as containerd does. */
import { Fault } from '../std/index.ts';

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
}

const operatingSystems: Readonly<Record<string, string>> = { macos: 'darwin' };

/** Lower case, one name per architecture, redundant variants dropped. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  let architecture = platform.architecture.toLowerCase();
  let variant = (platform.variant ?? '').toLowerCase();
  switch (architecture) {
    case 'i386':
      architecture = '386';
      variant = '';
      break;
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      architecture = 'amd64';
      if (variant === 'v1') variant = '';
      break;
    case 'aarch64':
    case 'arm64':
      architecture = 'arm64';
      if (variant === '8' || variant === 'v8') variant = '';
      break;
    case 'armhf':
      architecture = 'arm';
      variant = 'v7';
      break;
    case 'armel':
      architecture = 'arm';
      variant = 'v6';
      break;
    case 'arm':
      variant = variant === '' || variant === '7' ? 'v7' : /^[568]$/.test(variant) ? `v${variant}` : variant;
      break;
    default:
      break;
  }
  const normal: Platform = { os: operatingSystems[os] ?? os, architecture };
  return variant === '' ? normal : { ...normal, variant };
}

/** `linux/arm64/v8`, `arm64`, `linux`. @throws Fault invalid */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const bad = new Fault('invalid', `"${text}" is an invalid platform: expected os/architecture[/variant]`);
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) throw bad;
  if (parts.length === 1) {
    const word = parts[0]!.toLowerCase();
    if (['linux', 'windows', 'darwin', 'macos', 'freebsd'].includes(word)) {
      return normalizePlatform({ ...hostPlatform(), os: word });
    }
    return normalizePlatform({ os: 'linux', architecture: word });
  }
  const [os, architecture, variant] = parts as [string, string, string | undefined];
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

export function formatPlatform(platform: Platform): string {
  const variant = platform.variant === undefined || platform.variant === '' ? '' : `/${platform.variant}`;
  return `${platform.os}/${platform.architecture}${variant}`;
}

/** What this machine runs. */
export function hostPlatform(): Platform {
  const names: Record<string, string> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' };
  return normalizePlatform({ os: 'linux', architecture: names[process.arch] ?? process.arch });
}

/** How well `offered` serves `wanted`: 0 is exact, larger is worse, undefined is not at all. */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os) return undefined;
  const candidates = runnable(want);
  const index = candidates.findIndex(
    (candidate) => candidate.architecture === offer.architecture && (candidate.variant ?? '') === (offer.variant ?? ''),
  );
  return index < 0 ? undefined : index;
}

/** The best of `offers` for `wanted`; undefined when none serves it. The first of equals wins. */
export function choosePlatform<T>(wanted: Platform, offers: readonly T[], of: (offer: T) => Platform): T | undefined {
  let best: { offer: T; distance: number } | undefined;
  for (const offer of offers) {
    const distance = platformDistance(wanted, of(offer));
    if (distance !== undefined && (best === undefined || distance < best.distance)) best = { offer, distance };
  }
  return best?.offer;
}

function runnable(want: Platform): Platform[] {
  const { os, architecture, variant } = want;
  const all = (name: string, variants: string[]): Platform[] =>
    variants.map((each) => (each === '' ? { os, architecture: name } : { os, architecture: name, variant: each }));
  const down = (prefix: string, from: string | undefined, lowest: number): string[] => {
    const level = Number((from ?? '').slice(prefix.length));
    if (!Number.isInteger(level)) return [from ?? ''];
    return Array.from({ length: Math.max(level - lowest + 1, 1) }, (_, index) => `${prefix}${level - index}`);
  };
  switch (architecture) {
    case 'amd64': {
      const variants = variant === undefined ? [''] : [...down('v', variant, 2), ''];
      return [...all('amd64', variants), ...(variant === undefined ? all('386', ['']) : [])];
    }
    case 'arm64':
      return [...all('arm64', variant === undefined ? [''] : [variant, '']), ...all('arm', ['v8', 'v7', 'v6', 'v5'])];
    case 'arm':
      return all('arm', down('v', variant ?? 'v7', 5));
    default:
      return [want];
  }
}
