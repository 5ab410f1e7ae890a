/** `wherry volume create`. */
import { Fault } from '../../std/index.ts';
import { atMost, type Command } from '../command.ts';
import { keyValues } from '../flag/parse.ts';

export const command: Command = {
  use: '[OPTIONS] [VOLUME]',
  flags: `
      --availability string       Cluster Volume availability ("active", "pause", "drain") (default "active")
  -d, --driver string             Specify volume driver name (default "local")
      --group string              Cluster Volume group (cluster volumes)
      --label list                Set metadata for a volume
      --limit-bytes bytes         Minimum size of the Cluster Volume in bytes
  -o, --opt map                   Set driver specific options (default map[])
      --required-bytes bytes      Maximum size of the Cluster Volume in bytes
      --scope string              Cluster Volume access scope ("single", "multi") (default "single")
      --secret map                Cluster Volume secrets (default map[])
      --sharing string            Cluster Volume access sharing ("none", "readonly", "onewriter", "all") (default "none")
      --topology-preferred list   A topology that the Cluster Volume would be preferred in
      --topology-required list    A topology that the Cluster Volume must be accessible from
      --type string               Cluster Volume access type ("mount", "block") (default "block")
`,
  hidden: `
      --name string   Specify volume name
`,
  arity: atMost(1),
  completes: ['none'],
  examples: `
# A place for data that outlives containers
wherry volume create data
# In memory, at most 100 MB
wherry volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=100m scratch`,
  async run(session, { flags, args: [given] }) {
    if (given !== undefined && flags.changed('name')) {
      throw new Fault('invalid', 'conflicting options: either specify --name or provide positional arg, not both');
    }
    const client = await session.client();
    const { Name } = await client.volumes.create({
      Driver: flags.string('driver'),
      DriverOpts: flags.map('opt'),
      Labels: keyValues(flags.list('label')),
      Name: given ?? flags.string('name'),
    });
    session.out.write(`${Name}\n`);
  },
};
