/** `wherry login`. */
import { atMost, type Command } from '../command.ts';
import type { LoginResult } from '../../client/index.ts';
import { Fault, faultKind } from '../../std/index.ts';
import { explain } from '../explain.ts';
import { credentialsFor, hubKey } from '../../context/index.ts';
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
    const stored = await storedCredentials(session, flags, key);
    const known = stored === undefined ? undefined : await tryStored(session, key, stored);
    const { username, password } = known?.credentials ?? (await askCredentials(session, flags, server));
    const client = await session.client();
    const answer = known?.answer ?? (await client.system.login({ username, password, serveraddress: key }));
    await storeCredentials(session, key, { username, password, identitytoken: answer.IdentityToken });
    if (answer.Status !== '') session.out.write(`${answer.Status}\n`);
  },
};

interface Credentials {
  username: string;
  password: string;
}

/** What an earlier login left, when nothing else is given. */
async function storedCredentials(session: Session, flags: Flags, key: string): Promise<Credentials | undefined> {
  if (['username', 'password', 'password-stdin'].some((flag) => flags.changed(flag))) return undefined;
  const { username = '', password = '' } = await credentialsFor(session, key === hubKey ? 'docker.io' : key);
  return username === '' || password === '' ? undefined : { username, password };
}

/** undefined when they are no longer good: then the person is asked. */
async function tryStored(
  session: Session,
  key: string,
  credentials: Credentials,
): Promise<{ credentials: Credentials; answer: LoginResult } | undefined> {
  session.err.write('Authenticating with existing credentials...\n');
  const client = await session.client();
  try {
    return { credentials, answer: await client.system.login({ ...credentials, serveraddress: key }) };
  } catch (error) {
    if (faultKind(error) !== 'unauthorized') throw error;
    session.err.write(`Login did not succeed, error: ${explain(error)}\n`);
    return undefined;
  }
}

async function askCredentials(session: Session, flags: Flags, server: string | undefined): Promise<Credentials> {
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
