/** The command line's entry from source. The bundle has one of its own, with V8's compile cache (scripts/build.ts). */
import { main } from './program.ts';

await main();
