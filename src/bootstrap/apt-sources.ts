/** The host's own package sources of its Debian release, for a root made of them. Pure: text in, text out (sources.list(5)). */

/**
 * The stanzas (deb822) and lines of apt's files that are for `suite`, its updates and its security archive; other people's archives are
 * left out. Empty where there are none: mmdebstrap then takes Debian's own.
 */
export function debianSources(files: readonly { name: string; text: string }[], suite: string): string {
  const wanted = new Set([suite, `${suite}-updates`, `${suite}-security`, `${suite}/updates`]);
  const stanzas = files.flatMap(({ name, text }) =>
    name.endsWith('.sources') ? stanzasOf(text, wanted) : linesOf(text, wanted),
  );
  return stanzas.map((stanza) => `${stanza}\n`).join('\n');
}

function stanzasOf(text: string, wanted: ReadonlySet<string>): string[] {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n\s*\n/)
    .map((stanza) => stanza.trim())
    .filter((stanza) => {
      const suites = field(stanza, 'Suites');
      const enabled = field(stanza, 'Enabled')[0]?.toLowerCase();
      return (
        field(stanza, 'Types').includes('deb') &&
        enabled !== 'no' &&
        suites.length > 0 &&
        suites.every((each) => wanted.has(each))
      );
    });
}

function field(stanza: string, name: string): string[] {
  const value = new RegExp(`^${name}:(.*(?:\\n[ \\t]+.*)*)`, 'im').exec(stanza)?.[1] ?? '';
  return value.split(/\s+/).filter(Boolean);
}

/** One-line style, told in deb822: mmdebstrap takes one style or the other. */
function linesOf(text: string, wanted: ReadonlySet<string>): string[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line.trim());
    if (match === null || !wanted.has(match[3]!)) return [];
    const signed = /(?:^|\s)signed-by=(\S+)/.exec(match[1] ?? '')?.[1];
    const stanza = ['Types: deb', `URIs: ${match[2]}`, `Suites: ${match[3]}`, `Components: ${match[4]!.trim()}`];
    return [[...stanza, ...(signed === undefined ? [] : [`Signed-By: ${signed}`])].join('\n')];
  });
}
