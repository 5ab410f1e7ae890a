/** The embedded server's decisions. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, encode, type RecordType } from 'dns-packet';
import * as fc from 'fast-check';
import { decide, errorReply, type NameTable, reverseAddress } from './dns-answer.ts';
import { readServer } from './dns-forward.ts';
import { parseResolvConf, renderResolvConf } from './resolv-conf.ts';

const many = Array.from({ length: 100 }, (_, index) => `10.0.0.${index + 1}`);
const table: NameTable = {
  addresses: (name) =>
    name === 'web' ? { v4: ['10.0.0.2', '10.0.0.3'], v6: [] } : name === 'many' ? { v4: many, v6: [] } : undefined,
  nameOf: (address) => (address === '10.0.0.2' ? 'web.net' : undefined),
  forwards: () => true,
};
const query = (name: string, type: RecordType): Buffer =>
  encode({ type: 'query', id: 7, flags: 256, questions: [{ name, type }] });
const answered = (bytes: Buffer, limit = 512, names = table) => {
  const decision = decide(bytes, names, limit);
  assert.equal(decision.kind, 'answer');
  return decode((decision as { reply: Buffer }).reply) as ReturnType<typeof decode> & {
    rcode?: string;
    flag_tc?: boolean;
  };
};

describe('dns answers', () => {
  test('addresses in the order given, whatever the case of the name', () => {
    const reply = answered(query('WEB', 'A'));
    assert.equal(reply.id, 7);
    assert.deepEqual(
      reply.answers?.map((answer) => 'data' in answer && answer.data),
      ['10.0.0.2', '10.0.0.3'],
    );
    assert.equal(reply.questions?.[0]?.name, 'WEB');
  });

  test('other types of a name that exists are empty, not absent', () => {
    for (const type of ['AAAA', 'MX', 'SRV'] as const) {
      const reply = answered(query('web', type));
      assert.equal(reply.rcode, 'NOERROR');
      assert.deepEqual(reply.answers, []);
    }
  });

  test('reverse names', () => {
    const [answer] = answered(query('2.0.0.10.in-addr.arpa', 'PTR')).answers!;
    assert.equal(answer?.type === 'PTR' && answer.data, 'web.net');
    assert.equal(decide(query('9.0.0.10.in-addr.arpa', 'PTR'), table, 512).kind, 'forward');
    const digits = `${'0'.repeat(31)}1`.split('').reverse().join('.');
    assert.equal(reverseAddress(`${digits}.ip6.arpa`), '0000:0000:0000:0000:0000:0000:0000:0001');
  });

  test('unknown names are forwarded, or refused on internal networks', () => {
    assert.equal(decide(query('example.org', 'A'), table, 512).kind, 'forward');
    assert.equal(answered(query('example.org', 'A'), 512, { ...table, forwards: () => false }).rcode, 'REFUSED');
  });

  test('what does not fit is truncated over UDP, whole over TCP or with EDNS', () => {
    assert.equal(answered(query('many', 'A')).flag_tc, true);
    assert.equal(answered(query('many', 'A'), 65_535).answers?.length, 100);
    const edns = encode({
      type: 'query',
      id: 1,
      questions: [{ name: 'many', type: 'A' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 4096,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
    assert.equal(answered(edns).answers?.length, 100);
  });

  test('a name that is too long is not repeated', () => {
    const long = Buffer.concat([
      Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      Buffer.alloc(300, '\x01a'),
      Buffer.from([0, 0, 1, 0, 1]),
    ]);
    const reply = answered(long);
    assert.deepEqual([reply.id, reply.rcode, reply.questions], [7, 'FORMERR', []]);
  });

  test('no packet makes it throw, and none is answered with something unreadable', () => {
    const survives = (bytes: Uint8Array): void => {
      const decision = decide(Buffer.from(bytes), table, 512);
      if (decision.kind === 'answer') assert.ok(decision.reply.length >= 12 && (decision.reply[2]! & 0x80) !== 0);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), survives), { numRuns: 500 });
    const base = query('web', 'A');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(base.length),
        (edits, cut) => {
          const bytes = Buffer.from(base);
          for (const [at, value] of edits) bytes[at] = value;
          survives(bytes);
          survives(bytes.subarray(0, cut));
        },
      ),
      { numRuns: 1000 },
    );
    assert.equal(decide(errorReply(base, 2), table, 512).kind, 'ignore', 'a response is no question');
  });
});

describe('resolv.conf', () => {
  test("the host's loopback resolvers are no use to a container", () => {
    const host = parseResolvConf('# x\nnameserver 127.0.0.53\nnameserver 9.9.9.9 ; y\nsearch a b\noptions edns0\n');
    assert.deepEqual(host, { servers: ['127.0.0.53', '9.9.9.9'], search: ['a', 'b'], options: ['edns0'] });
    const none = { servers: [], search: [], options: [] };
    assert.equal(
      renderResolvConf(false, none, host),
      "# Generated by Wherry.\n\nnameserver 9.9.9.9\nsearch a b\noptions edns0\n\n# Based on host file: '/etc/resolv.conf'\n",
    );
    assert.equal(
      renderResolvConf(true, { servers: ['1.1.1.1'], search: ['.'], options: [] }, host),
      "# Generated by Wherry.\n\nnameserver 127.0.0.11\noptions edns0 ndots:0\n\n# Based on host file: '/etc/resolv.conf'\n",
    );
    assert.match(
      renderResolvConf(false, none, { ...host, servers: ['127.0.0.1'] }),
      /no resolver that a container can reach/,
    );
  });

  test('servers with ports', () => {
    assert.deepEqual(readServer('1.1.1.1'), { address: '1.1.1.1', port: 53 });
    assert.deepEqual(readServer('1.1.1.1#5353'), { address: '1.1.1.1', port: 5353 });
    assert.deepEqual(readServer('fd00::1'), { address: 'fd00::1', port: 53 });
    assert.deepEqual(readServer('[fd00::1]:54'), { address: 'fd00::1', port: 54 });
  });
});
