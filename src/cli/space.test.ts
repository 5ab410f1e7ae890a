/** `system df` and `system verify` of a Wherry daemon, and of another. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { VerifyFinding } from '../api/index.ts';
import { withServer } from '../../test/support/server.ts';
import { CaughtOutput, wherry } from './fixture.ts';
import { ProgressLine } from './output/progress-line.ts';
import { verificationText } from './output/verification.ts';

describe('system df', () => {
  test('all rows and their sum', async () => {
    await withServer({}, async (place) => {
      const { out, code } = await wherry(place, ['system', 'df']);
      assert.equal(code, 0);
      assert.equal(
        out,
        [
          'TYPE                TOTAL     ACTIVE    SIZE      RECLAIMABLE',
          'Images              2         1         3MB       1MB (33%)',
          'Containers          1         1         20kB      0B (0%)',
          'Local Volumes       1         0         500kB     500kB (100%)',
          'Build Cache         0         0         0B        0B',
          'Image Archives      6         3         1.2MB     400kB (33%)',
          'Container Logs      1         1         8.192kB   0B (0%)',
          'Volume Trash        1         0         4.096kB   4.096kB (100%)',
          'Partial Downloads   1         0         65.54kB   65.54kB (100%)',
          'Other                                   90kB      0B (0%)',
          'Total                                   4.888MB   1.97MB (40%)',
          '2.5GB of 10GB are free where /var/lib/fake is.',
          '',
        ].join('\n'),
      );
      const rows = await wherry(place, ['system', 'df', '--format', '{{.Type}}={{.Size}}']);
      assert.match(rows.out, /^Images=3MB\n(?:.*\n)+Total=4\.888MB\n$/);
      const json = (await wherry(place, ['system', 'df', '--format', 'json'])).out.trim().split('\n');
      assert.deepEqual(JSON.parse(json.at(-1)!), {
        Active: '',
        Reclaimable: '1.97MB (40%)',
        Size: '4.888MB',
        TotalCount: '',
        Type: 'Total',
      });
      const { out: details } = await wherry(place, ['system', 'df', '-v']);
      assert.match(
        details,
        /^Images on disk:\n\nIMAGE +IMAGE ID +UNPACKED +UNIQUE +ARCHIVES +CONTAINERS\nbusybox:latest +f7c8a1ccf7c8 +2MB +2MB +800kB +1\n/,
      );
      for (const line of [
        /cccccccccccc +busybox +running +20kB +8\.19kB +web/,
        /data +0 +500kB/,
        /old +\d+ \w+ ago +4\.1kB/,
        /f7c8a1ccf7c8 +.* ago +65\.5kB +begun/,
      ])
        assert.match(details, line);
      assert.match(
        (await wherry(place, ['system', 'df', '-v', '--format', '{{len .Images}}'])).out,
        /^\d+\n$/,
        'templates see Docker’s fields',
      );
    });
  });

  test('another daemon has Docker’s rows', async () => {
    const usage = { LayersSize: 5, Images: [], Containers: [], Volumes: [], BuildCache: [] };
    await withOther(
      (path) => (path === '/system/df' ? usage : undefined),
      async (place) => {
        const { out } = await wherry(place, ['system', 'df', '--format', '{{.Type}}']);
        assert.equal(out, 'Images\nContainers\nLocal Volumes\nBuild Cache\n');
        const { code, err } = await wherry(place, ['system', 'verify']);
        assert.equal(code, 1);
        assert.match(err, /Cannot verify the store: this daemon is not Wherry, and only Wherry can/);
      },
    );
  });
});

describe('system verify', () => {
  test('what is wrong, what to do, and the exit code', async () => {
    await withServer({}, async (place) => {
      const found = await wherry(place, ['system', 'verify', '--quick']);
      assert.equal(found.code, 1);
      assert.equal(
        found.out,
        [
          'Looked at 1 image, 3 blobs (2MB), 2 layers, 1 container, 1 volume, 3 networks; contents were not read.',
          'Not checked: layer 0123 was not compared: no space left on device',
          '',
          'Found one problem:',
          'PROBLEM   WHAT                DETAIL',
          'damaged   blob f7c8a1ccf7c8   its content is sha256:1234; it is the layer of image busybox:latest (42B)',
          '',
          'What to do:',
          '  blob f7c8a1ccf7c8: mend it: wherry system verify --repair',
          '',
        ].join('\n'),
      );
      assert.deepEqual(place.engine.calls.at(-1), { method: 'system.verify', args: [{ quick: true, repair: false }] });
      const mended = await wherry(place, ['system', 'verify', '--repair']);
      assert.equal(mended.code, 0);
      assert.match(
        mended.out,
        /Mended one problem:\nPROBLEM +WHAT +DONE\ndamaged +blob f7c8a1ccf7c8 +fetched again from docker\.io\/library\/busybox\n\nNow everything is as it should be\.\n$/,
      );
      const quiet = await wherry(place, ['system', 'verify', '-q']);
      assert.deepEqual([quiet.code, quiet.out], [1, '']);
      const json = await wherry(place, ['system', 'verify', '--format', 'json']);
      const value = JSON.parse(json.out) as {
        Findings: VerifyFinding[];
        Notes: string[];
        Summary: { Problems: number };
      };
      assert.deepEqual(
        [json.code, value.Findings[0]?.Problem, value.Notes.length, value.Summary.Problems],
        [1, 'damaged', 1, 1],
      );
      assert.equal((await wherry(place, ['system', 'verify', '--format', 'xml'])).code, 1);
    });
    await withServer({ readOnly: true }, async (place) => {
      assert.equal((await wherry(place, ['system', 'verify'])).code, 1);
      assert.match((await wherry(place, ['system', 'verify', '--repair'])).err, /read-only/);
    });
  });

  test('a table fits its terminal, and a path keeps its end', () => {
    const finding: VerifyFinding = {
      Kind: 'file',
      Name: `/var/lib/wherry/content/blobs/sha256/${'0'.repeat(60)}tail`,
      Problem: 'stray',
      Detail: `no image needs it, ${'x'.repeat(100)}`,
      Path: '',
      Size: 0,
      Repaired: false,
      Action: 'remove it: wherry system verify --repair',
    };
    const counts = { Images: 0, Blobs: 0, BlobBytes: 0, Layers: 0, LayersCompared: 0 };
    const summary = { ...counts, Containers: 0, Volumes: 0, Networks: 0, Problems: 1, Repaired: 0 };
    const outcome = { findings: [finding], notes: [], summary, quick: false, repair: false };
    for (const columns of [60, 80, 200]) {
      const table = verificationText(outcome, columns)
        .split('\n')
        .filter((line) => /^(PROBLEM|stray)/.test(line));
      assert.equal(table.length, 2);
      for (const line of table) assert.ok(Array.from(line).length <= columns, `${columns}: ${line}`);
      assert.match(table[1]!, /tail {3}no image/);
    }
    assert.ok(verificationText(outcome, undefined).includes(finding.Detail));
  });

  test('progress is one line of a terminal, and gone in the end', () => {
    const terminal = new CaughtOutput(true);
    const line = new ProgressLine(terminal);
    line.show('Verifying blobs: 1%');
    line.show('Verifying blobs: 1%');
    line.clear();
    assert.equal(terminal.text, '\r\u001b[KVerifying blobs: 1%\r\u001b[K');
    const file = new CaughtOutput(false);
    new ProgressLine(file).show('x');
    assert.equal(file.text, '');
  });
});

/** A daemon that is not Wherry: it knows what `answer` answers. */
async function withOther(
  answer: (path: string) => object | undefined,
  use: (place: { path: string; folder: string }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-other-'));
  const path = join(folder, 'docker.sock');
  const server = createServer((request, response) => {
    response.setHeader('Api-Version', '1.41');
    const found = request.url === '/_ping' ? {} : answer(request.url!.replace(/^\/v1\.\d+/, ''));
    response.statusCode = found === undefined ? 404 : 200;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(found ?? { message: 'page not found' }));
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  try {
    await use({ path, folder });
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
}
