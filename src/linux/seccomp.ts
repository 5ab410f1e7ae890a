/**
 * Compiles an OCI seccomp profile to the kernel's filter by libseccomp, in process: crun takes a compiled filter, which spares every
 * start the ten milliseconds that compiling costs.
 */
import { closeSync, readFileSync } from 'node:fs';
import koffi from 'koffi';
import { check, libc, type Native } from './libc.ts';
import { descriptorPath } from './rooted.ts';

interface Rule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}
export interface SeccompSource {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  syscalls: Rule[];
}

const actions: Record<string, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};
const operators = [
  '',
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];
const UNKNOWN_SYSCALL = -1;

function actionNumber(name: string, errno: number | undefined): number | undefined {
  const action = actions[name];
  if (action === undefined) return undefined;
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE' ? action + (errno ?? 1) : action;
}

/** The BPF program's bytes, or undefined when libseccomp is not there or the profile asks for something beyond this. */
export function compileSeccomp(profile: SeccompSource): Buffer | undefined {
  let library;
  try {
    library = koffi.load('libseccomp.so.2');
  } catch {
    return undefined;
  }
  const call = (prototype: string): Native => library.func(prototype);
  const initial = actionNumber(profile.defaultAction, profile.defaultErrnoRet);
  if (initial === undefined) return undefined;
  const context = (library.func('void *seccomp_init(uint32_t action)') as unknown as (action: number) => unknown)(
    initial,
  );
  try {
    const resolveArch = call('uint32_t seccomp_arch_resolve_name(const char *name)');
    const addArch = call('int seccomp_arch_add(void *context, uint32_t token)');
    for (const name of profile.architectures ?? []) {
      const result = addArch(context, resolveArch(name.replace('SCMP_ARCH_', '').toLowerCase()));
      // EEXIST: the native one is there from the start.
      if (result < 0 && result !== -17) return undefined;
    }
    const resolve = call('int seccomp_syscall_resolve_name(const char *name)');
    const add = call(
      'int seccomp_rule_add_array(void *context, uint32_t action, int syscall, unsigned int count, const void *arguments)',
    );
    for (const rule of profile.syscalls) {
      const action = actionNumber(rule.action, rule.errnoRet);
      if (action === undefined) return undefined;
      if (action === initial) continue;
      const args = rule.args ?? [];
      if (new Set(args.map(({ index }) => index)).size !== args.length) return undefined;
      const packed = Buffer.alloc(Math.max(1, args.length) * 24);
      for (const [position, { index, value, valueTwo, op }] of args.entries()) {
        packed.writeUInt32LE(index, position * 24);
        packed.writeUInt32LE(operators.indexOf(op), position * 24 + 4);
        packed.writeBigUInt64LE(BigInt(value), position * 24 + 8);
        packed.writeBigUInt64LE(BigInt(valueTwo ?? 0), position * 24 + 16);
      }
      for (const name of rule.names) {
        const number = resolve(name);
        if (number === UNKNOWN_SYSCALL) continue;
        if (add(context, action, number, args.length, packed) < 0) return undefined;
      }
    }
    const fd = check(
      'memfd_create',
      libc('int memfd_create(const char *name, unsigned int flags)')('seccomp', 1),
      'seccomp',
    );
    try {
      if (call('int seccomp_export_bpf(void *context, int fd)')(context, fd) < 0) return undefined;
      return readFileSync(descriptorPath(fd));
    } finally {
      closeSync(fd);
    }
  } finally {
    library.func('void seccomp_release(void *context)')(context);
  }
}
