import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileTemplate } from './index.ts';

const value = {
  Name: 'web',
  Count: 3,
  Labels: new Map([['a', 'b']]),
  List: ['x', 'y'],
  State: { Running: true, Pid: 7 },
  Empty: '',
};
const cases: [string, string][] = [
  ['{{.Name}}', 'web'],
  ['{{.State.Pid}}/{{.Count}}', '7/3'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .Empty}}a{{else if eq .Count 3}}b{{end}}', 'b'],
  ['{{range $i, $e := .List}}{{$i}}={{$e}};{{end}}', '0=x;1=y;'],
  ['{{range .List}}{{.}} {{end}}', 'x y '],
  ['{{with .State}}{{.Pid}}{{end}}', '7'],
  ['{{json .List}}', '["x","y"]'],
  ['{{.Name | upper | printf "%q"}}', '"WEB"'],
  ['{{join .List ","}} {{len .List}} {{index .List 1}}', 'x,y 2 y'],
  ['{{and true (not false)}} {{or "" "z"}}', 'true z'],
  ['{{- .Name -}} !', 'web!'],
  ['{{/* nothing */}}x', 'x'],
];

describe('Go templates', () => {
  for (const [source, expected] of cases)
    test(source, () => assert.equal(compileTemplate(source).execute(value), expected));
  test('what does not parse is said', () => {
    assert.throws(() => compileTemplate('{{.Name'), /unclosed action|template/);
    assert.throws(() => compileTemplate('{{nosuch .Name}}'), /function "nosuch" not defined/);
  });
});
