/** `--network` in its short and long form, with `--ip`, `--network-alias` and the like, to endpoints. */
import type { EndpointConfig } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { Flags } from '../flag/parse.ts';
import { csvFields } from './csv.ts';

export interface Attachment {
  target: string;
  aliases: string[];
  links: string[];
  driverOptions: Record<string, string>;
  ip: string;
  ip6: string;
  linkLocalIps: string[];
  mac: string;
  gatewayPriority: number;
}

export interface Networking {
  mode: string;
  endpoints: Record<string, EndpointConfig>;
}

/** Reads one `--network`. @returns a text when it is wrong. */
export function parseAttachment(value: string): Attachment | string {
  const attachment = emptyAttachment('');
  if (!/(^|,)\w[\w-]*=/.test(value)) return { ...attachment, target: value };
  for (const field of csvFields(value)) {
    const equals = field.indexOf('=');
    if (equals < 0) return `invalid field ${field}`;
    const key = field.slice(0, equals).trim().toLowerCase();
    const text = field.slice(equals + 1).trim();
    if (key === 'name') attachment.target = text;
    else if (key === 'alias') attachment.aliases.push(text);
    else if (key === 'ip') attachment.ip = text;
    else if (key === 'ip6') attachment.ip6 = text;
    else if (key === 'mac-address') attachment.mac = text;
    else if (key === 'link-local-ip') attachment.linkLocalIps.push(text);
    else if (key === 'gw-priority') {
      if (!/^[+-]?\d+$/.test(text)) return `invalid gw-priority (${text}): invalid syntax`;
      attachment.gatewayPriority = Number(text);
    } else if (key === 'driver-opt') {
      const split = text.indexOf('=');
      if (split < 0) return 'invalid key value pair format in driver options';
      attachment.driverOptions[text.slice(0, split).trim().toLowerCase()] = text.slice(split + 1).trim();
    } else return `invalid field key ${key}`;
  }
  return attachment.target === '' ? 'network name/id is not specified' : attachment;
}

/** @throws Fault invalid for options that contradict each other. */
export function networkingOf(flags: Flags): Networking {
  const attachments = flags.list('network').map((value) => parseAttachment(value) as Attachment);
  const endpoints: Record<string, EndpointConfig> = {};
  if (attachments.length === 0) {
    endpoints['default'] = endpointOf(withContainerFlags(emptyAttachment('default'), flags));
    return { mode: 'default', endpoints };
  }
  attachments.forEach((given, index) => {
    const attachment = index === 0 ? withContainerFlags(given, flags) : given;
    const endpoint = endpointOf(attachment);
    if (Object.hasOwn(endpoints, attachment.target)) {
      throw new Fault('invalid', `network "${attachment.target}" is specified multiple times`);
    }
    if (attachments.length > 1 || !isPlain(attachment)) endpoints[attachment.target] = endpoint;
  });
  const own = attachments.filter((each) => isUserDefined(each.target));
  if (own.length > 0 && own.length < attachments.length) {
    throw new Fault(
      'invalid',
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
    );
  }
  return { mode: attachments[0]!.target, endpoints };
}

function emptyAttachment(target: string): Attachment {
  return {
    target,
    aliases: [],
    links: [],
    driverOptions: {},
    ip: '',
    ip6: '',
    linkLocalIps: [],
    mac: '',
    gatewayPriority: 0,
  };
}

/** The flags that speak of the first network. */
function withContainerFlags(attachment: Attachment, flags: Flags): Attachment {
  const conflict = (flag: string, field: string): never => {
    throw new Fault('invalid', `conflicting options: cannot specify both ${flag} and per-network ${field}`);
  };
  const result = { ...attachment };
  if (flags.list('network-alias').length > 0) {
    if (result.aliases.length > 0) conflict('--network-alias', 'alias');
    result.aliases = [...flags.list('network-alias')];
  }
  if (flags.list('link').length > 0 && result.target !== 'default' && isUserDefined(result.target)) {
    result.links = [...flags.list('link')];
  }
  if (flags.string('ip') !== '') result.ip = result.ip === '' ? flags.string('ip') : conflict('--ip', 'IPv4 address');
  if (flags.string('ip6') !== '')
    result.ip6 = result.ip6 === '' ? flags.string('ip6') : conflict('--ip6', 'IPv6 address');
  if (flags.string('mac-address') !== '') {
    result.mac = result.mac === '' ? flags.string('mac-address') : conflict('--mac-address', 'MAC address');
  }
  if (flags.list('link-local-ip').length > 0) {
    if (result.linkLocalIps.length > 0) conflict('--link-local-ip', 'link-local IP addresses');
    result.linkLocalIps = [...flags.list('link-local-ip')];
  }
  return result;
}

function isPlain(attachment: Attachment): boolean {
  const { target: _, ...rest } = attachment;
  const { target: __, ...empty } = emptyAttachment('');
  return JSON.stringify(rest) === JSON.stringify(empty);
}

function endpointOf(attachment: Attachment): EndpointConfig {
  const { target } = attachment;
  if (!isUserDefined(target)) {
    if (attachment.aliases.length > 0) {
      throw new Fault('invalid', 'network-scoped aliases are only supported for user-defined networks');
    }
    if (attachment.links.length > 0) throw new Fault('invalid', 'links are only supported for user-defined networks');
  }
  const addressed = attachment.ip !== '' || attachment.ip6 !== '' || attachment.linkLocalIps.length > 0;
  return {
    IPAMConfig: addressed
      ? {
          ...(attachment.ip === '' ? {} : { IPv4Address: attachment.ip }),
          ...(attachment.ip6 === '' ? {} : { IPv6Address: attachment.ip6 }),
          ...(attachment.linkLocalIps.length === 0 ? {} : { LinkLocalIPs: attachment.linkLocalIps }),
        }
      : null,
    Links: attachment.links.length === 0 ? null : attachment.links,
    Aliases: attachment.aliases.length === 0 ? null : attachment.aliases,
    MacAddress: attachment.mac,
    DriverOpts: Object.keys(attachment.driverOptions).length === 0 ? null : attachment.driverOptions,
    GwPriority: attachment.gatewayPriority,
  };
}

function isUserDefined(name: string): boolean {
  return !['default', 'bridge', 'host', 'none'].includes(name) && !name.startsWith('container:');
}
