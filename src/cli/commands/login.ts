/** `wherry login`. */
import { atMost, type Command } from '../command.ts';
import { Fault } from '../../std/index.ts';
import { credentialsFor } from '../registry/credentials.ts';
import { keyOfServer } from '../registry/server-key.ts';
import { storeCredentials } from '../registry/store-credentials.ts';
import type { Flags } from '../flag/parse.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVER]',
  flags: `
  -p, --password string   Password or Personal Access Token (PAT)
      --password-stdin    Take the Password or Personal Access Token (PAT) from stdin
  -u, --username string   Username
`,
  long: 'Defaults to Docker Hub if no server is specified.',
  arity: atMost(1),
  completes: ['none'],
  examples: `
# To a registry of your own; asks for name and password
wherry login registry.example.com
# In a script
echo "$TOKEN" | wherry login -u me --password-stdin registry.example.com`,
  async run(session, { flags, args: [server] }) {
    const key = keyOfServer(server);
    const { username, password } = await askCredentials(session, flags, key, server);
    const client = await session.client();
    const answer = await client.system.login({ username, password, serveraddress: key });
    await storeCredentials(session, key, { username, password, identitytoken: answer.IdentityToken });
    if (answer.Status !== '') session.out.write(`${answer.Status}\n`);
  },
};

interface Credentials {
  username: string;
  password: string;
}

async function askCredentials(
  session: Session,
  flags: Flags,
  key: string,
  server: string | undefined,
): Promise<Credentials> {
  const fromInput = flags.bool('password-stdin');
  let username = flags.string('username');
  let password = flags.string('password');
  if (flags.changed('password')) {
    session.err.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    if (fromInput) throw new Fault('invalid', '--password and --password-stdin are mutually exclusive');
  }
  if (fromInput) {
    if (username === '') throw new Fault('invalid', 'the --password-stdin option requires --username to be set');
    let text = '';
    for await (const chunk of session.in.read()) text += Buffer.from(chunk).toString('utf8');
    return { username, password: text.replace(/[\r\n]+$/, '') };
  }
  const known = await credentialsFor(session, key.includes('index.docker.io') ? 'docker.io' : key);
  if (username === '' && password === '' && known.username !== undefined && known.password !== undefined) {
    session.out.write('Authenticating with existing credentials...\n');
    return { username: known.username, password: known.password };
  }
  if ((username === '' || password === '') && !session.in.isTerminal) {
    throw new Fault('invalid', 'Error: Cannot perform an interactive login from a non TTY device');
  }
  if (username === '') {
    session.out.write(`Log in${server === undefined ? ' to Docker Hub' : ` to ${server}`}.\nUsername: `);
    username = ((await session.in.line()) ?? '').trim();
    if (username === '') throw new Fault('invalid', 'username is required');
  }
  if (password === '') {
    session.out.write('Password: ');
    const restore = session.in.raw();
    try {
      password = await readHidden(session);
    } finally {
      restore();
      session.out.write('\n');
    }
    if (password === '') throw new Fault('invalid', 'password is required');
  }
  return { username, password };
}

/** Typed in raw mode, so that nothing shows: ends with a newline, ctrl-c gives up. */
async function readHidden(session: Session): Promise<string> {
  let text = '';
  for await (const chunk of session.in.read()) {
    for (const letter of Buffer.from(chunk).toString('utf8')) {
      if (letter === '\r' || letter === '\n' || letter === '\x04') return text;
      if (letter === '\x03') throw new Fault('invalid', 'login was given up');
      text = letter === '\x7f' || letter === '\b' ? text.slice(0, -1) : text + letter;
    }
  }
  return text;
}
