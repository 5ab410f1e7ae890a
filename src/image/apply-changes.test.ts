import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from './apply-changes.ts';

test('each instruction changes its part of the config', () => {
  const config = applyChanges({ Env: ['A=1', 'B=2'], Labels: { old: 'x' }, WorkingDir: '/srv' }, [
    'CMD ["sh", "-c", "x"]',
    'entrypoint echo hi',
    'ENV A=3 C="d e" D=f\\ g',
    'ENV old style value',
    'LABEL a=b "c d"=\'e "f"\'',
    'EXPOSE 80 53/udp 8000-8002/TCP',
    'VOLUME /data /more',
    'VOLUME ["/a b"]',
    'USER me:us',
    'WORKDIR sub',
    'ONBUILD RUN x',
    'STOPSIGNAL SIGQUIT',
    'SHELL ["/bin/bash","-c"]',
    'HEALTHCHECK --interval=5s --retries=3 CMD curl -f http://localhost',
  ]);
  assert.deepEqual(config, {
    Env: ['A=3', 'B=2', 'C=d e', 'D=f g', 'old=style value'],
    Labels: { old: 'x', a: 'b', 'c d': 'e "f"' },
    WorkingDir: '/srv/sub',
    Cmd: ['sh', '-c', 'x'],
    Entrypoint: ['/bin/sh', '-c', 'echo hi'],
    ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {}, '8002/tcp': {} },
    Volumes: { '/data': {}, '/more': {}, '/a b': {} },
    User: 'me:us',
    OnBuild: ['RUN x'],
    StopSignal: 'SIGQUIT',
    Shell: ['/bin/bash', '-c'],
    Healthcheck: { Interval: 5e9, Retries: 3, Test: ['CMD-SHELL', 'curl -f http://localhost'] },
  });
  const empty = applyChanges({ Entrypoint: ['old'] }, ['CMD', 'ENTRYPOINT']);
  assert.deepEqual(empty, { Entrypoint: ['old'], Cmd: ['/bin/sh', '-c'] }, 'as Docker takes them');
  assert.deepEqual(applyChanges({}, ['HEALTHCHECK NONE']), { Healthcheck: { Test: ['NONE'] } });
});

test('what is no such instruction is refused', () => {
  for (const bad of [
    'RUN x',
    'ENV',
    'ENV A',
    'LABEL =x',
    'EXPOSE http',
    'EXPOSE 90-80',
    'SHELL x',
    'HEALTHCHECK x',
    '#',
    'HEALTHCHECK --interval=x CMD y',
  ]) {
    assert.throws(() => applyChanges({}, [bad]), { kind: 'invalid' }, bad);
  }
});

test('the config given is left alone', () => {
  const config = { Env: ['A=1'], Labels: { a: 'b' } };
  applyChanges(config, ['ENV A=2', 'LABEL a=c']);
  assert.deepEqual(config, { Env: ['A=1'], Labels: { a: 'b' } });
});
