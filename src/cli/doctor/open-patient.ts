/** The machine, and the engine that a session asks for; nothing is started. */
import { daemonProgram, manualPath, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { daemonSettings, dataRootOf } from '../daemon/settings.ts';
import { serviceUnit, socketUnit } from '../daemon/units.ts';
import type { Session } from '../session.ts';
import type { Patient } from './check.ts';
import type { Answer } from './host.ts';
import { linuxHost } from './linux-host.ts';

export async function openPatient(session: Session): Promise<Patient> {
  const host = linuxHost(session.env, session.now());
  const { endpoint, context, isDefault } = await session.endpoint();
  const socket = endpoint.kind === 'unix' ? endpoint.path : undefined;
  const answer: Answer = socket === undefined ? { kind: 'absent' } : await host.engineAt(socket);
  const settings = daemonSettings((path) => host.read(path));
  const own = answer.kind === 'engine' && answer.product === 'Wherry' ? answer : undefined;
  const dataRoot = own?.dataRoot || dataRootOf(settings);
  const bridge = own?.bridge ?? (typeof settings['bridge'] === 'string' ? settings['bridge'] : 'wherry0');
  return {
    host,
    engine: {
      socket,
      url: endpoint.url,
      isDefault,
      context: context === 'default' ? undefined : context,
      answer,
      dataRoot,
      bridge,
      settings,
      units: new Map([
        [servicePath, serviceUnit({ program: daemonProgram(), dataRoot: dataRootOf(settings), manual: manualPath() })],
        [socketUnitPath, socketUnit({ path: socketPath, group: 'root' })],
      ]),
    },
  };
}
