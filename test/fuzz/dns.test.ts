/** DNS packets from containers: an answer, a refusal or silence; never more than a packet may hold, and what dns-packet reads. */
import assert from 'node:assert/strict';
import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { decide, errorReply, questionEnd, reverseAddress } from '../../src/network/dns-answer.ts';
import { readServer } from '../../src/network/dns-forward.ts';
import { fuzzed, property } from '../support/fuzz.ts';

const many = Array.from({ length: 200 }, (_, index) => `10.0.${index}.1`);
const table = {
  addresses: (name: string) =>
    name === 'web' ? { v4: ['10.0.0.2'], v6: ['fd00::2'] } : name === 'many' ? { v4: many, v6: [] } : undefined,
  nameOf: (address: string) => (address === '10.0.0.2' ? 'web.net' : undefined),
  forwards: () => true,
};
const question = (name: string, type: 'A' | 'AAAA' | 'PTR' | 'MX'): Buffer =>
  encode({ type: 'query', id: 7, flags: 256, questions: [{ name, type }] });
const opt = encode({
  type: 'query',
  id: 9,
  questions: [{ name: 'many', type: 'A' }],
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 4096,
      flags: 0,
      extendedRcode: 0,
      ednsVersion: 0,
      flag_do: false,
      options: [],
    } as never,
  ],
});

fuzzed('packets', {
  corpus: [
    question('web', 'A'),
    question('many', 'A'),
    question('2.0.0.10.in-addr.arpa', 'PTR'),
    question('example.org', 'MX'),
    opt,
    encode({ type: 'response', id: 1, answers: [{ type: 'A', name: 'a.b', data: '1.2.3.4' }] }),
    // Names that point at themselves, and at each other.
    Buffer.from('000701000001000000000000c00c00010001', 'hex'),
    Buffer.from('000701000001000000000000c00ec00c00010001', 'hex'),
    Buffer.concat([Buffer.from('000701000001ffffffffffff', 'hex'), Buffer.alloc(600, 'c00c', 'hex')]),
  ],
  words: ['\xc0\x0c', '\xff\xff', '\0', '\x3f', '\x03web\0\0\x01\0\x01', '\xc0\xff'],
  longest: 65_535,
  check: (bytes) => {
    for (const limit of [512, 65_535]) {
      const decision = decide(bytes, table, limit);
      if (decision.kind !== 'answer') continue;
      const { reply } = decision;
      assert.ok(reply.length <= Math.max(limit, 4096), `${reply.length} bytes`);
      assert.equal(reply.readUInt16BE(0), bytes.readUInt16BE(0), 'the id');
      const read = decode(reply);
      assert.equal(read.type, 'response');
      assert.ok((read.questions?.length ?? 0) <= 1);
    }
    if (bytes.length >= 12) assert.equal(decode(errorReply(bytes, 2)).type, 'response');
    assert.ok(questionEnd(bytes) <= Math.max(12, bytes.length));
    const text = bytes.toString('latin1');
    reverseAddress(text);
    readServer(text);
  },
});

const label = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
property(
  'any name is answered, or goes on as it came',
  fc.tuple(
    fc.array(label, { minLength: 1, maxLength: 5 }),
    fc.constantFrom('A' as const, 'AAAA' as const, 'PTR' as const, 'MX' as const),
    fc.nat(65_535),
  ),
  ([labels, type, id]) => {
    const query = encode({ type: 'query', id, flags: 256, questions: [{ name: labels.join('.'), type }] });
    const decision = decide(query, table, 512);
    if (decision.kind === 'forward') assert.ok(decision.query.equals(query));
    else if (decision.kind === 'answer')
      assert.deepEqual(decode(decision.reply).questions?.[0]?.name, labels.join('.'));
  },
);

property('what is ours is answered with its addresses', fc.constantFrom('web', 'WEB', 'wEb'), (name) => {
  const decision = decide(question(name, 'A'), table, 512);
  assert.ok(decision.kind === 'answer');
  assert.deepEqual(
    decode(decision.reply).answers?.map((answer) => 'data' in answer && answer.data),
    ['10.0.0.2'],
  );
});
