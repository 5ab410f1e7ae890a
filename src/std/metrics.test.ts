import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { counter, CounterVector, gauge, HistogramVector, metricText } from './metrics.ts';

describe('metric text', () => {
  test('HELP, TYPE, a line a series; families without one are left out', () => {
    assert.equal(
      metricText([
        gauge('a', 'One thing', 1.5),
        counter('b_total', 'Others', [{ labels: { x: '1', y: '2' }, value: 3 }, { value: 4 }]),
        gauge('c', 'Nothing', []),
      ]),
      '# HELP a One thing\n# TYPE a gauge\na 1.5\n# HELP b_total Others\n# TYPE b_total counter\nb_total{x="1",y="2"} 3\nb_total 4\n',
    );
  });
  test('names that come from outside cannot break out of their line', () => {
    const text = metricText([
      gauge('a', 'back\\slash and\nbreak "quoted"', [{ labels: { name: 'x"} 1\nevil \\' }, value: 0 }]),
    ]);
    assert.equal(
      text,
      '# HELP a back\\\\slash and\\nbreak "quoted"\n# TYPE a gauge\na{name="x\\"} 1\\nevil \\\\"} 0\n',
    );
  });
  test('numbers as Go reads them', () => {
    const values = [Number.NaN, Infinity, -Infinity, 0, 1e-7, 2 ** 53, 1e21].map((value) => ({ value }));
    assert.deepEqual(
      metricText([gauge('n', 'h', values)])
        .trim()
        .split('\n')
        .slice(2),
      ['n NaN', 'n +Inf', 'n -Inf', 'n 0', 'n 1e-7', 'n 9007199254740992', 'n 1e+21'],
    );
  });
});

describe('vectors', () => {
  test('a counter counts each combination of labels', () => {
    const vector = new CounterVector('c_total', 'h');
    vector.add({ code: '200' });
    vector.add({ code: '404' }, 2);
    vector.add({ code: '200' });
    assert.deepEqual(vector.family().samples, [
      { labels: { code: '200' }, value: 2 },
      { labels: { code: '404' }, value: 2 },
    ]);
  });
  test('buckets are cumulative, their bounds inclusive, and the last has all', () => {
    const vector = new HistogramVector('h_seconds', 'h', [0.1, 1]);
    vector.declare({ action: 'start' });
    for (const seconds of [0.1, 0.5, 7]) vector.observe({ action: 'stop' }, seconds);
    assert.equal(
      metricText([vector.family()]),
      [
        '# HELP h_seconds h',
        '# TYPE h_seconds histogram',
        'h_seconds_bucket{action="start",le="0.1"} 0',
        'h_seconds_bucket{action="start",le="1"} 0',
        'h_seconds_bucket{action="start",le="+Inf"} 0',
        'h_seconds_sum{action="start"} 0',
        'h_seconds_count{action="start"} 0',
        'h_seconds_bucket{action="stop",le="0.1"} 1',
        'h_seconds_bucket{action="stop",le="1"} 2',
        'h_seconds_bucket{action="stop",le="+Inf"} 3',
        'h_seconds_sum{action="stop"} 7.6',
        'h_seconds_count{action="stop"} 3',
        '',
      ].join('\n'),
    );
  });
});
