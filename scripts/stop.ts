/** `npm stop`: PKC goes down; its volumes, and so what was written, stay. The engine goes on, for whatever else runs on it. */
import { fail, isUp, say, shown, socket, wherry } from './engine.ts';

if (!(await isUp())) fail(`the engine does not run (${socket}): nothing to stop`);
const code = await wherry(['compose', '-p', 'pkc', '--profile', '*', 'down', '--remove-orphans']);
if (code === 0) {
  const host = socket === '/run/wherry/wherry.sock' ? '' : `WHERRY_HOST=unix://${socket} `;
  say(`
PKC is down; what you wrote is in the volumes pkc_database and pkc_pkc_documents.
  npm start                    brings it back
  ${host}${shown} system stop       ends the engine, too`);
}
process.exitCode = code;
