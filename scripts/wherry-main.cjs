/**
 * The bundled command line's entry: copied to dist/ beside wherry.cjs. It compiles the bundle with V8's code cache of all functions
 * that have run before (Node's own compile cache keeps those of the top level only), which saves a quarter of the start.
 */
const fs = require('node:fs');
const { Script } = require('node:vm');

const bundle = `${__dirname}/wherry.cjs`;
/** Builds and compose have caches of their own: the more functions there are in one, the longer it takes to read. */
const caches = {
  usual: `${__dirname}/wherry.cache`,
  build: `${__dirname}/build.cache`,
  compose: `${__dirname}/compose.cache`,
};
const cache = caches[['compose', 'build'].find((verb) => process.argv.includes(verb)) ?? 'usual'];

/** Modules of Node that take milliseconds to load (crypto and net bring all streams): they come when something of them is first used. */
const late = /^node:(child_process|crypto|fs\/promises|net|stream|stream\/promises|timers\/promises|tls|tty|util|zlib)$/;

function lateRequire(name) {
  if (!late.test(name)) return require(name);
  let held;
  const use = () => (held ??= require(name));
  return new Proxy(
    {},
    {
      get: (_, key) => use()[key],
      has: (_, key) => key in use(),
      ownKeys: () => Reflect.ownKeys(use()),
      getOwnPropertyDescriptor: (_, key) => ({ value: use()[key], enumerable: true, configurable: true }),
    },
  );
}

/** Returns the bundle's exports, and a function that keeps what has been compiled by now. */
function load() {
  // The bundle is ASCII: as latin1 it is read without decoding.
  const source = fs.readFileSync(bundle, 'latin1');
  let cachedData;
  try {
    cachedData = fs.readFileSync(cache);
  } catch {
    // Not there yet.
  }
  const script = new Script(source, { filename: bundle, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, lateRequire, module, bundle, __dirname);
  const save = (to = cache) => {
    const temporary = `${to}.${process.pid}`;
    try {
      fs.writeFileSync(temporary, script.createCachedData());
      fs.renameSync(temporary, to);
    } catch {
      // Installed where this user may not write: the next start is as slow as this one.
    }
  };
  return { exports: module.exports, save, cached: cachedData !== undefined && script.cachedDataRejected !== true };
}

if (require.main === module) {
  const { exports, save, cached } = load();
  if (!cached) process.on('exit', () => save());
  exports.main();
} else {
  module.exports = { load, caches };
}
