/**
 * Living beside other firewalls in nftables. A packet must pass every table's forward chain, and Docker, ufw and firewalld
 * drop by default there: our accepts go to the head of such chains (or into DOCKER-USER, which Docker keeps for this), for our
 * bridges only, marked with our table's name so that they can be found and taken away. They open nothing by themselves: what
 * may pass is still decided in our own table.
 *
 * Limit: rules of the old iptables-legacy kernel interface cannot be seen from nftables; on such hosts allow the bridges by hand.
 */

/** What `nft -j list chains` and `nft -j list chain` print, as far as it is read here. */
interface NftListing {
  nftables: {
    chain?: { family: string; table: string; name: string; hook?: string; policy?: string; handle: number };
    rule?: { family: string; table: string; chain: string; handle: number; comment?: string };
  }[];
}

export interface ForeignChain {
  family: string;
  table: string;
  name: string;
}

export interface ForeignFirewall {
  /** Where our accepts belong. */
  forward: ForeignChain[];
  /** Where they may be from before. */
  marked: ForeignChain[];
  /** Base chains that filter what comes in to the host: a host firewall. */
  input: (ForeignChain & { drops: boolean })[];
}

export function readChains(listing: string, ownTable: string): ForeignFirewall {
  const chains = (JSON.parse(listing) as NftListing).nftables.flatMap((item) =>
    item.chain === undefined ? [] : [item.chain],
  );
  const foreign = chains.filter(
    (chain) => (chain.family === 'ip' || chain.family === 'ip6' || chain.family === 'inet') && chain.table !== ownTable,
  );
  const forward = foreign
    .filter((chain) => chain.hook === 'forward' && chain.policy === 'drop')
    .map((chain) => {
      const user = foreign.find(
        (other) => other.name === 'DOCKER-USER' && other.table === chain.table && other.family === chain.family,
      );
      return { family: chain.family, table: chain.table, name: user?.name ?? chain.name };
    });
  const input = foreign
    .filter((chain) => chain.hook === 'input')
    .map((chain) => ({ family: chain.family, table: chain.table, name: chain.name, drops: chain.policy === 'drop' }));
  const marked = foreign
    .filter((chain) => chain.hook === 'forward' || chain.name === 'DOCKER-USER')
    .map(({ family, table, name }) => ({ family, table, name }));
  return { forward, marked, input };
}

/** Handles of our rules in a chain's listing, and how many other rules it has. */
export function readRules(listing: string, comment: string): { own: number[]; others: number } {
  const rules = (JSON.parse(listing) as NftListing).nftables.flatMap((item) =>
    item.rule === undefined ? [] : [item.rule],
  );
  const own = rules.filter((rule) => rule.comment === comment).map((rule) => rule.handle);
  return { own, others: rules.length - own.length };
}

/** One incoming and one outgoing accept per pattern of bridge names. */
export function acceptCommands(chain: ForeignChain, patterns: readonly string[], comment: string): string[] {
  return patterns.flatMap((pattern) =>
    ['iifname', 'oifname'].map(
      (side) =>
        `insert rule ${chain.family} ${chain.table} ${chain.name} ${side} "${pattern}" counter accept comment "${comment}"`,
    ),
  );
}

export function deleteCommands(chain: ForeignChain, handles: readonly number[]): string[] {
  return handles.map((handle) => `delete rule ${chain.family} ${chain.table} ${chain.name} handle ${handle}`);
}
