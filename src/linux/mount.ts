/** Mounts as plain calls on the daemon's own mount namespace. */
import koffi from 'koffi';
import { check, libc, SystemError, syscallNumber } from './libc.ts';

export const mountFlags = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  bind: 4096,
  rec: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

/** mount(2). @throws SystemError */
export function mount(options: { source: string; target: string; type?: string; flags?: number; data?: string }): void {
  const call = libc(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  );
  check(
    'mount',
    call(options.source, options.target, options.type ?? null, options.flags ?? 0, options.data ?? null),
    `${options.source} on ${options.target}`,
  );
}

/** umount2(2), lazily (MNT_DETACH) unless told otherwise; what is not mounted is no error. @throws SystemError */
export function unmount(target: string, options: { lazy?: boolean } = {}): void {
  const call = libc('int umount2(const char *target, int flags)');
  if (call(target, ((options.lazy ?? true) ? 2 : 0) | 8) >= 0) return;
  const error = new SystemError('umount', koffi.errno(), target);
  if (!['EINVAL', 'ENOENT', 'ENOTDIR'].includes(error.code)) throw error;
}

export interface OverlayMount {
  /** Read-only layers, the topmost first; at least one. */
  lower: readonly string[];
  /** Absent for a read-only view. */
  upper?: string;
  work?: string;
  target: string;
  /** More options, e.g. "volatile". */
  options?: readonly string[];
}

/**
 * Mounts an overlay. Uses mount(2) while the options fit in its one page, and fsconfig(2) with one `lowerdir+` a layer
 * (kernel 6.5) beyond that. @throws SystemError
 */
export function mountOverlay(overlay: OverlayMount): void {
  const escape = (path: string): string => path.replace(/[\\,:]/g, String.raw`\$&`);
  const parts = [`lowerdir=${overlay.lower.map(escape).join(':')}`];
  if (overlay.upper !== undefined)
    parts.push(`upperdir=${escape(overlay.upper)}`, `workdir=${escape(overlay.work ?? '')}`);
  const data = [...parts, ...(overlay.options ?? [])].join(',');
  if (Buffer.byteLength(data) < 4000) {
    mount({ source: 'overlay', target: overlay.target, type: 'overlay', data });
    return;
  }
  mountOverlayByFsconfig(overlay);
}

function mountOverlayByFsconfig(overlay: OverlayMount): void {
  const fsopen = libc('long syscall(long number, const char *type, unsigned int flags)');
  const fsconfig = libc(
    'long syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)',
  );
  const fsmount = libc('long syscall(long number, int fd, unsigned int flags, unsigned int attributes)');
  const moveMount = libc(
    'long syscall(long number, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
  );
  const close = libc('int close(int fd)');
  const number = (value: number): number => syscallNumber({ x64: value, arm64: value });
  const context = check('fsopen', fsopen(number(430), 'overlay', 1), overlay.target);
  try {
    const set = (key: string, value: string): void => {
      check('fsconfig', fsconfig(number(431), context, 1, key, value, 0), `${key}=${value}`);
    };
    for (const lower of overlay.lower) set('lowerdir+', lower);
    if (overlay.upper !== undefined) {
      set('upperdir', overlay.upper);
      set('workdir', overlay.work ?? '');
    }
    for (const option of overlay.options ?? []) {
      const equals = option.indexOf('=');
      if (equals > 0) set(option.slice(0, equals), option.slice(equals + 1));
      else check('fsconfig', fsconfig(number(431), context, 0, option, null, 0), option);
    }
    check('fsconfig', fsconfig(number(431), context, 6, null, null, 0), overlay.target);
    const fd = check('fsmount', fsmount(number(432), context, 1, 0), overlay.target);
    try {
      check('move_mount', moveMount(number(429), fd, '', -100, overlay.target, 4), overlay.target);
    } finally {
      close(fd);
    }
  } finally {
    close(context);
  }
}
