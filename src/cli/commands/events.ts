/** `wherry events`. */
import { noArgs, type Command } from '../command.ts';
import type { WireEvent } from '../../client/index.ts';
import { Fault, formatNanosPadded, messageOf } from '../../std/index.ts';
import { zoneOffset } from '../output/short.ts';
import { apiTimestamp } from '../output/timestamp.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -f, --filter filter   Filter output based on conditions provided
      --format string   ${valueFormatHelp}
      --since string    Show all events created since timestamp
      --until string    Stream events until this timestamp
`,
  arity: noArgs,

  examples: `
# What happens from now on
wherry events
# Which containers ended in the last hour
wherry events --since 1h --until 0s -f event=die`,
  async run(session, { flags }) {
    const format = flags.string('format');
    const render = await renderer(format);
    const client = await session.client();
    const time = (flag: string): string | undefined => {
      const text = flags.string(flag);
      return text === '' ? undefined : apiTimestamp(text, session.now(), flag);
    };
    const events = client.system.events({ since: time('since'), until: time('until') }, flags.filters());
    for await (const event of events) session.out.write(`${render(event)}\n`);
  },
};

async function renderer(format: string): Promise<(event: WireEvent) => string> {
  if (format === '') return eventLine;
  const { compileTemplate } = await import('../template/index.ts');
  const { typed } = await import('../output/typed-json.ts');
  if (format === 'json' || format === '{{json .}}') return eventJson;
  try {
    const template = compileTemplate(format);
    return (event) =>
      template.execute(
        typed('', {
          ...event,
          ID: event.id,
          Status: event.status,
          From: event.from,
          Scope: event.scope,
          Time: event.time,
          TimeNano: event.timeNano,
        }),
      );
  } catch (error) {
    throw new Fault('invalid', `Error parsing format: ${messageOf(error)}`, { cause: error });
  }
}

/** The daemon's own JSON: `timeNano` was kept as text because it does not fit a double. */
function eventJson(event: WireEvent): string {
  return JSON.stringify(event).replace(/("timeNano":)"(\d+)"/, '$1$2');
}

/** "2026-11-24T01:18:39.123456789+00:00 container start <id> (image=busybox, name=web)". */
function eventLine({ Type, Action, Actor, time, timeNano }: WireEvent): string {
  const date = new Date(time * 1000);
  const nanos =
    BigInt(timeNano === undefined ? time * 1e9 : timeNano) - BigInt(date.getTimezoneOffset()) * 60_000_000_000n;
  const stamp = formatNanosPadded(nanos).replace('Z', date.getTimezoneOffset() === 0 ? 'Z' : zoneOffset(date, ':'));
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const tail = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  return `${stamp} ${Type} ${Action} ${Actor.ID}${tail}`;
}
