/** Go's text/template, as Docker's users write it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../std/index.ts';
import { typed } from '../output/typed-json.ts';
import { compileTemplate } from './index.ts';

const value = typed('', {
  Name: '/web',
  Id: 'abcdef',
  Image: 'sha256:1',
  State: { Status: 'running', Running: true, Pid: 42, ExitCode: 0 },
  Config: { Labels: { b: '2', a: '1' }, Cmd: ['sleep', '9'], Entrypoint: null, Env: null },
  HostConfig: { NetworkMode: 'bridge', Binds: null, MemorySwappiness: null },
  NetworkSettings: {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
    Networks: { bridge: { IPAddress: '172.17.0.2' }, app: { IPAddress: '10.0.0.2' } },
  },
  Mounts: [],
});

const cases: [string, string][] = [
  ['plain', 'plain'],
  ['{{.Name}}', '/web'],
  ['{{.State.Pid}} {{.State.Running}}', '42 true'],
  ['{{.Config.Labels}}', 'map[a:1 b:2]'],
  ['{{.Config.Cmd}} {{.Config.Env}} {{.HostConfig.MemorySwappiness}}', '[sleep 9] [] <nil>'],
  ['{{json .Config.Cmd}} {{json .Config.Env}}', '["sleep","9"] null'],
  ['{{json .Config.Labels}}', '{"a":"1","b":"2"}'],
  ['{{index .Config.Labels "a"}}|{{index .Config.Labels "x"}}|{{index .Config.Cmd 1}}', '1||9'],
  ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8080'],
  ['{{range .Config.Cmd}}<{{.}}>{{end}}', '<sleep><9>'],
  ['{{range $i, $e := .Config.Cmd}}{{$i}}={{$e}} {{end}}', '0=sleep 1=9 '],
  ['{{range $k, $v := .NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}} {{end}}', 'app:10.0.0.2 bridge:172.17.0.2 '],
  ['{{range .Mounts}}x{{else}}none{{end}}', 'none'],
  ['{{range .Config.Cmd}}{{if eq . "9"}}{{break}}{{end}}{{.}}{{end}}', 'sleep'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .Config.Env}}a{{else if .State.Running}}b{{else}}c{{end}}', 'b'],
  ['{{if .State.Health}}h{{else}}n{{end}}', 'n'],
  ['{{with .State}}{{.Status}} {{$.Name}}{{end}}', 'running /web'],
  ['{{$x := .State.Pid}}{{$x}}{{$x = 5}}{{$x}}', '425'],
  ['{{len .Config.Cmd}} {{len .Name}} {{len .Config.Labels}}', '2 4 2'],
  [
    '{{eq .State.Status "a" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{and true 0}} {{or 0 "x"}} {{not 1}}',
    'true true true true 0 x false',
  ],
  ['{{printf "%-6s|%4d|%q|%v|%05.1f%%" .Id 7 "q" .Config.Cmd 2.25}}', 'abcdef|   7|"q"|[sleep 9]|002.3%'],
  ['{{.Name | printf "%s!" | upper}}', '/WEB!'],
  [
    '{{join .Config.Cmd ","}} {{split "a,b" ","}} {{title "ab cd"}} {{lower "AB"}} {{upper "ab"}} {{pad "x" 1 2}}|{{truncate .Id 3}}',
    'sleep,9 [a b] Ab Cd ab AB  x  |abc',
  ],
  ['{{println "a" 1}}{{print 1 2 "x"}}', 'a 1\n1 2x'],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* nothing */}}x{{- /* trims */ -}} y', 'xy'],
  ['{{`raw`}} {{"tab\\t|"}} {{\'a\'}}', 'raw tab\t| 97'],
  ['{{len (split "a-b-c" "-")}}', '3'],
  ['{{slice "abcdef" 1 3}}', 'bc'],
];

describe('templates', () => {
  for (const [source, wanted] of cases) {
    test(source, () => assert.equal(compileTemplate(source).execute(value), wanted));
  }

  const refusals: [string, string][] = [
    ['{{.Foo}}', 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
    ['{{.Name.X}}', 'template: :1:2: executing "" at <.Name.X>: can\'t evaluate field X in type string'],
    ['{{.Name', 'template: :1: unclosed action'],
    ['{{foo}}', 'template: :1: function "foo" not defined'],
    ['{{if}}x{{end}}', 'template: :1: missing value for if'],
    ['{{if .Name}}x', 'template: :1: unexpected EOF'],
    ['{{end}}', 'template: :1: unexpected {{end}}'],
    ['{{index .Config.Cmd 7}}', 'template: :1:2: executing "" at <index>: error calling index: index out of range: 7'],
  ];
  for (const [source, message] of refusals) {
    test(`refuses ${source}`, () => assert.throws(() => compileTemplate(source).execute(value), { message }));
  }

  test('a method gets its argument', () => {
    const row = { Label: (name: unknown) => `<${String(name)}>` };
    assert.equal(compileTemplate('{{.Label "a"}} {{"b" | .Label}}').execute(row), '<a> <b>');
  });

  test('any text is a template, or is refused', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('{{', '}}', '.Name', '|', 'if ', 'end', 'range ', '"', '(', ')', '$x', ':=', '-'),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          compileTemplate(pieces.join('')).execute(value);
        } catch (error) {
          assert.ok(error instanceof Fault, String(error));
        }
      }),
    );
  });

  test('text without actions is itself', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('{{')),
        (text) => {
          assert.equal(compileTemplate(text).execute({}), text);
        },
      ),
    );
  });
});
