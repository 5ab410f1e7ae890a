/** The command line's entry. Kept tiny: a command's code is loaded when the command is known. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(process.env['WHERRY_COMPILE_CACHE'] ?? join(import.meta.dirname, '.compile-cache'));
const { main } = await import('./program.ts');
await main();
