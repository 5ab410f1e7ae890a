/** Executes the ruleset: keeps our table as wanted, notices when somebody flushed it, and gets along with other firewalls. */
import { forgetFlows, type Netlink, type Nft, openNetlink, openNft } from '../linux/index.ts';
import { Fault, type Logger, messageOf } from '../std/index.ts';
import {
  acceptCommands,
  deleteCommands,
  type ForeignChain,
  type ForeignFirewall,
  readChains,
  readRules,
} from './foreign-firewall.ts';
import {
  type BridgeRules,
  bridgeCommands,
  directCommands,
  portCommand,
  type PortRule,
  tableScript,
} from './ruleset.ts';

const NETLINK_NETFILTER = 12;
const NFT_MSG_GETGEN = (10 << 8) | 16;

export interface FirewallOptions {
  table: string;
  /** Names of our bridges start with it. */
  linkPrefix: string;
  respectHostFirewall: boolean;
  directRouting: boolean;
  logger: Logger;
}

export class Firewall {
  readonly #options: FirewallOptions;
  readonly #nft: Nft;
  readonly #json: Nft;
  readonly #netfilter: Netlink;
  readonly #bridges = new Map<string, BridgeRules>();
  readonly #ports = new Map<string, PortRule>();
  #generation = -1;
  #throughInput = false;
  #installed = false;
  #closed = false;

  constructor(options: FirewallOptions) {
    this.#options = options;
    this.#nft = openNft();
    this.#json = openNft({ json: true });
    this.#netfilter = openNetlink(NETLINK_NETFILTER);
  }

  addBridge(bridge: BridgeRules): void {
    this.#bridges.set(bridge.link, bridge);
    if (!this.#installed) return this.install();
    this.#change(bridgeCommands(this.#options.table, 'add', bridge));
    if (!bridge.link.startsWith(this.#options.linkPrefix)) this.#befriend();
  }

  removeBridge(link: string): void {
    const bridge = this.#bridges.get(link);
    if (bridge === undefined) return;
    this.#bridges.delete(link);
    if (this.#installed) this.#change(bridgeCommands(this.#options.table, 'delete', bridge));
  }

  addPorts(rules: readonly PortRule[]): void {
    const { table, directRouting } = this.#options;
    for (const rule of rules) this.#ports.set(portKey(rule), rule);
    if (!this.#installed) this.install();
    else {
      this.#change([
        ...rules.map((rule) => portCommand(table, 'add', rule)),
        ...(directRouting ? directCommands(table, 'add', rules) : []),
      ]);
    }
    this.#forgetFlows(rules);
  }

  removePorts(rules: readonly PortRule[]): void {
    const known = rules.filter((rule) => this.#ports.delete(portKey(rule)));
    if (this.#installed) {
      const { table, directRouting } = this.#options;
      const kept = new Set(directRouting ? directCommands(table, 'delete', [...this.#ports.values()]) : []);
      this.#change([
        ...known.map((rule) => portCommand(table, 'delete', rule)),
        ...(directRouting ? directCommands(table, 'delete', known).filter((command) => !kept.has(command)) : []),
      ]);
    }
    this.#forgetFlows(known);
  }

  /** Writes the whole table anew, in one transaction. @throws Fault internal, unavailable */
  install(): void {
    const foreign = this.#foreign();
    this.#throughInput = this.#options.respectHostFirewall && this.#hostFirewallActive(foreign);
    this.#nft.run(
      tableScript(this.#options.table, {
        bridges: [...this.#bridges.values()],
        ports: [...this.#ports.values()],
        outsideThroughInput: this.#throughInput,
        directRouting: this.#options.directRouting,
      }),
    );
    this.#installed = true;
    this.#befriend(foreign);
    this.#generation = this.#currentGeneration();
  }

  /** Restores what is missing, if the ruleset of the host changed at all since the last look. */
  check(): void {
    if (this.#closed || !this.#installed || this.#currentGeneration() === this.#generation) return;
    try {
      const foreign = this.#foreign();
      const throughInput = this.#options.respectHostFirewall && this.#hostFirewallActive(foreign);
      if (throughInput !== this.#throughInput || !this.#tableStands()) {
        this.#options.logger.warn('nft table restored', {
          table: this.#options.table,
          outsideThroughInput: throughInput,
        });
        this.install();
      } else {
        this.#befriend(foreign);
        this.#generation = this.#currentGeneration();
      }
    } catch (error) {
      this.#options.logger.error('cannot restore the nft table', { error: messageOf(error) });
    }
  }

  /** With `remove`, our table and our marks in other tables go; without, a later daemon finds them. */
  close(options: { remove: boolean }): void {
    if (this.#closed) return;
    this.#closed = true;
    if (options.remove && this.#installed) {
      for (const chain of this.#foreign().marked) this.#unmark(chain);
      this.#nft.run(`add table inet ${this.#options.table}\ndelete table inet ${this.#options.table}\n`);
    }
    this.#netfilter.close();
    this.#nft.close();
    this.#json.close();
  }

  /** One transaction; when it does not fit the table (somebody flushed it), the whole table is written instead. */
  #change(commands: readonly string[]): void {
    if (commands.length === 0) return;
    // Our own change must not look like a stranger's, nor hide one.
    const untouched = this.#currentGeneration() === this.#generation;
    try {
      this.#nft.run(`${commands.join('\n')}\n`);
      if (untouched) this.#generation = this.#currentGeneration();
    } catch (error) {
      this.#options.logger.warn('nft table written anew', { table: this.#options.table, because: messageOf(error) });
      this.install();
    }
  }

  /** UDP flows have no end that is seen: those of before would go on past the change. */
  #forgetFlows(rules: readonly PortRule[]): void {
    for (const family of [4, 6] as const) {
      const udp = rules.filter((rule) => rule.protocol === 'udp' && rule.family === family);
      if (udp.length === 0) continue;
      const ports = new Set(udp.map((rule) => rule.hostPort));
      const answerers = new Set(udp.map((rule) => rule.address));
      try {
        forgetFlows(
          this.#netfilter,
          family,
          (flow) =>
            flow.protocol === 17 &&
            ports.has(flow.destinationPort) &&
            (answerers.has(flow.answerer) || flow.answerer === flow.destination),
        );
      } catch (error) {
        this.#options.logger.debug('cannot forget UDP flows', { error: messageOf(error) });
      }
    }
  }

  #tableStands(): boolean {
    const { table } = this.#options;
    try {
      const rules = readRules(this.#json.run(`list chain inet ${table} forward`), '');
      const links = this.#nft.run(`list set inet ${table} bridges`);
      return rules.others === 2 && [...this.#bridges.keys()].every((link) => links.includes(`"${link}"`));
    } catch {
      return false;
    }
  }

  #currentGeneration(): number {
    const answer = this.#netfilter.request('nft generation', NFT_MSG_GETGEN, 0, Buffer.alloc(4));
    const body = answer[0]?.body;
    return body === undefined || body.length < 12 ? -1 : body.readUInt32BE(8);
  }

  #foreign(): ForeignFirewall {
    return readChains(this.#json.run('list chains'), this.#options.table);
  }

  #hostFirewallActive(foreign: ForeignFirewall): boolean {
    return foreign.input.some((chain) => chain.drops || this.#rulesOf(chain).others > 0);
  }

  #rulesOf(chain: ForeignChain): { own: number[]; others: number } {
    return readRules(this.#json.run(`list chain ${chain.family} ${chain.table} ${chain.name}`), this.#options.table);
  }

  /** Puts our accepts where other firewalls drop by default. */
  #befriend(foreign = this.#foreign()): void {
    const { linkPrefix, table, logger } = this.#options;
    const own = [...this.#bridges.keys()].filter((link) => !link.startsWith(linkPrefix));
    const patterns = [`${linkPrefix}*`, ...own];
    for (const chain of foreign.forward) {
      try {
        const marks = this.#rulesOf(chain).own;
        if (marks.length === patterns.length * 2) continue;
        this.#nft.run(`${[...deleteCommands(chain, marks), ...acceptCommands(chain, patterns, table)].join('\n')}\n`);
        logger.info('accepts for our bridges added to a forward chain that drops', { ...chain });
      } catch (error) {
        logger.warn('cannot add accepts to a forward chain that drops: containers may be cut off', {
          ...chain,
          error: messageOf(error),
        });
      }
    }
  }

  #unmark(chain: ForeignChain): void {
    try {
      const marks = this.#rulesOf(chain).own;
      if (marks.length > 0) this.#nft.run(`${deleteCommands(chain, marks).join('\n')}\n`);
    } catch (error) {
      throw new Fault('internal', `Cannot remove our accepts from ${chain.table} ${chain.name}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

function portKey(rule: PortRule): string {
  return `${rule.family} ${rule.hostAddress} ${rule.protocol} ${rule.hostPort}`;
}
