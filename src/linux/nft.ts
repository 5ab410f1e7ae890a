/**
 * nftables commands as one transaction each: through libnftables where it is installed (no process, well under a millisecond),
 * through the nft program otherwise. Both are synchronous and act on the namespace they are called in.
 */
import { spawnSync } from 'node:child_process';
import koffi from 'koffi';
import { Fault } from '../std/index.ts';

export interface Nft {
  /** Runs a script (nft(8) syntax); all of it or none. Returns what it printed. @throws Fault internal with nft's words */
  run(script: string): string;
  /** Forgets the library's context. */
  close(): void;
}

interface Library {
  create(flags: number): unknown;
  free(context: unknown): void;
  bufferOutput(context: unknown): number;
  bufferError(context: unknown): number;
  output(context: unknown): string;
  error(context: unknown): string;
  run(context: unknown, script: string): number;
  setOutput(context: unknown, flags: number): void;
}

let library: Library | undefined | null;

/** Opens nft for the network namespace of this moment. */
export function openNft(options: { program?: boolean; json?: boolean } = {}): Nft {
  library ??= loadLibrary() ?? null;
  if (library === null || options.program === true) return programNft(options.json === true);
  const loaded = library;
  const context = loaded.create(0);
  if (context === null) return programNft(options.json === true);
  loaded.bufferOutput(context);
  loaded.bufferError(context);
  if (options.json === true) loaded.setOutput(context, JSON_OUTPUT);
  let open = true;
  return {
    run(script) {
      if (!open) throw new Fault('internal', 'Cannot run nft: closed');
      const code = loaded.run(context, script);
      const printed = loaded.output(context);
      const words = loaded.error(context);
      if (code !== 0) throw new Fault('internal', `nft failed: ${firstLines(words)}`);
      return printed;
    },
    close() {
      if (open) loaded.free(context);
      open = false;
    },
  };
}

const JSON_OUTPUT = 1 << 4;

function loadLibrary(): Library | undefined {
  try {
    const file = koffi.load('libnftables.so.1');
    const bind = (prototype: string): never => file.func(prototype) as unknown as never;
    return {
      create: bind('void *nft_ctx_new(uint32_t flags)'),
      free: bind('void nft_ctx_free(void *context)'),
      bufferOutput: bind('int nft_ctx_buffer_output(void *context)'),
      bufferError: bind('int nft_ctx_buffer_error(void *context)'),
      output: bind('const char *nft_ctx_get_output_buffer(void *context)'),
      error: bind('const char *nft_ctx_get_error_buffer(void *context)'),
      run: bind('int nft_run_cmd_from_buffer(void *context, const char *script)'),
      setOutput: bind('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    };
  } catch {
    return undefined;
  }
}

function programNft(json: boolean): Nft {
  return {
    run(script) {
      const done = spawnSync('nft', [...(json ? ['-j'] : []), '-f', '-'], {
        input: script,
        encoding: 'utf8',
        timeout: 30_000,
      });
      if (done.error !== undefined) {
        throw new Fault('unavailable', `Cannot run nft: ${done.error.message}; install the package nftables`, {
          cause: done.error,
        });
      }
      if (done.status !== 0) throw new Fault('internal', `nft failed: ${firstLines(done.stderr)}`);
      return done.stdout;
    },
    close() {},
  };
}

function firstLines(text: string): string {
  return text.trim().split('\n').slice(0, 6).join('\n');
}
