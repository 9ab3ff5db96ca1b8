import assert from 'node:assert/strict';
import { request } from 'node:http';
import { run } from '../../src/cli/run.ts';
import type { FlowLine } from '../../src/model/flow-api.ts';
import { until } from '../support/until.ts';
import { fixedManager } from './fixed-manager.ts';
import { call, problemIn, startServer, type TestServer } from './server.ts';

describe('flows on the socket', () => {
  let running: TestServer | null = null;
  afterEach(async () => {
    await running?.close();
    running = null;
  });

  /** The server with a manager whose followers get these lines. */
  async function serve(lines: (signal: AbortSignal) => AsyncIterable<FlowLine>): Promise<TestServer> {
    const manager = fixedManager([], { followFlows: (_filter, _options, signal) => lines(signal) });
    running = await startServer({ manager });
    return running;
  }
  const loss = (count: number): FlowLine => ({
    type: 'loss',
    place: 'kernel',
    since: '2026-11-24T09:00:00.000Z',
    until: '2026-11-24T09:00:00.000Z',
    count,
  });
  const aborted = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

  it('ends the search of a client that has gone away: a filter that nothing fits is looked for in all that is kept', async () => {
    let searching: AbortSignal | undefined;
    const manager = fixedManager([], {
      flows: async (_filter, _page, signal) => {
        searching = signal;
        await aborted(signal);
        return { flows: [], next: null, losses: [] };
      },
    });
    running = await startServer({ manager });
    const sent = request({ socketPath: running.socketPath, path: '/v1/flows?port=1', agent: false });
    sent.on('error', () => {}).end();
    await until('it is searched', () => searching !== undefined);
    sent.destroy();
    await until('the search is told', () => searching?.aborted === true);
  });

  it('sends the head at once and each line as it comes', async () => {
    let next: (line: FlowLine) => void = () => {};
    const server = await serve(async function* () {
      for (;;)
        yield await new Promise<FlowLine>((resolve) => {
          next = resolve;
        });
    });
    let text = '';
    const sent = request({ socketPath: server.socketPath, path: '/v1/flows/follow', agent: false });
    const answer = new Promise<string | undefined>((resolve) =>
      sent.on('response', (response) => {
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', () => {});
        resolve(response.headers['content-type']);
      }),
    );
    sent.on('error', () => {}).end();
    assert.equal(await answer, 'application/x-ndjson');
    assert.equal(text, '');
    for (const count of [1, 2]) {
      next(loss(count));
      await until('the line comes', () => text.split('\n').length === count + 1);
    }
    assert.deepEqual(
      text
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line).count),
      [1, 2],
    );
    sent.destroy();
  });

  it('takes no more from a manager than a client that does not read has room for', async () => {
    let given = 0;
    const server = await serve(async function* (signal) {
      while (!signal.aborted) {
        given += 1;
        yield loss(given);
      }
    });
    const sent = request({ socketPath: server.socketPath, path: '/v1/flows/follow', agent: false });
    const response = await new Promise<{ destroy(): void }>((resolve) => sent.on('response', (one) => resolve(one.pause())).end());
    let before = -1;
    await until('it stops to take', async () => {
      const still = before === given;
      before = given;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return still;
    });
    assert.ok(given < 50_000, `${given} lines`);
    response.destroy();
  });

  it('tells the manager when the client goes away', async () => {
    let over = false;
    const server = await serve(async function* (signal) {
      yield loss(1);
      await aborted(signal);
      over = true;
    });
    const sent = request({ socketPath: server.socketPath, path: '/v1/flows/follow', agent: false }).on('error', () => {});
    await new Promise((resolve) => sent.on('response', (response) => response.on('error', () => {}).once('data', resolve)).end());
    sent.destroy();
    await until('the manager knows', () => over);
  });

  it('cuts the answer when the manager fails in the middle, and goes on serving', async () => {
    const server = await serve(async function* () {
      yield loss(1);
      throw new Error('the store is gone');
    });
    await assert.rejects(call(server, 'GET', '/v1/flows/follow'), /aborted|hang up|ECONNRESET/);
    assert.equal((await call(server, 'GET', '/v1/status')).status, 200);
  });

  for (const query of [
    'verdict=allowed',
    'port=65536',
    'port=http',
    'protocol=tls',
    'direction=in',
    'since=yesterday',
    'container=../x',
    'limit=0',
    'limit=99999',
    'before=-1',
    'unknown=1',
    'verdict=dropped&verdict=audit',
  ])
    it(`refuses ?${query}, naming the field`, async () => {
      running = await startServer();
      const reply = await call(running, 'GET', `/v1/flows?${query}`);
      assert.equal(reply.status, 400);
      const { code, detail } = problemIn(reply);
      assert.equal(code, 'REQUEST_INVALID');
      assert.match(detail, new RegExp(query.split('=')[0] ?? ''));
    });

  describe('the command', () => {
    async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
      running ??= await startServer();
      let out = '';
      let err = '';
      const code = await run(['--socket', running.socketPath, ...argv], {
        stdout: { write: (text) => (out += text) },
        stderr: { write: (text) => (err += text) },
        env: {},
      });
      return { code, out, err };
    }

    it('shows the oldest first, both ends by name, why, and where flows are missing', async () => {
      const { code, out } = await cli('flows');
      assert.equal(code, 0);
      assert.equal(
        out,
        [
          'TIME                  VERDICT    WAY      PROTOCOL  FROM                         TO                    WHY',
          '2026-11-24 09:15:02Z  forwarded  ingress  tcp       web (101) 10.240.0.10:43210  102 10.240.0.11:5432  by web-to-db',
          '2026-11-24 09:15:02Z  dropped    ingress  tcp       world 203.0.113.7:50000      102 10.240.0.11:5432  no policy allows it',
          '',
          'lost flows are missing, 2026-11-24 09:10:00Z to 2026-11-24 09:15:02Z: Cilium’s agent or the service was away',
          '',
        ].join('\n'),
      );
    });

    it('follows, one line a flow, and ends when the service does', async () => {
      const { code, out } = await cli('flows', '--follow');
      assert.equal(code, 0);
      assert.deepEqual(
        out.split('\n').map((line) => line.replace(/ {2,}/g, '  ')),
        [
          '2026-11-24 09:15:02Z  forwarded  ingress  tcp  web (101) 10.240.0.10:43210  102 10.240.0.11:5432  by web-to-db',
          '2026-11-24 09:15:02Z  lost  flows are missing, 2026-11-24 09:10:00Z to 2026-11-24 09:15:02Z: Cilium’s agent or the service was away',
          '',
        ],
      );
    });

    it('prints one object a line with --json', async () => {
      const { out } = await cli('flows', '-f', '--json');
      assert.deepEqual(
        out
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line).type),
        ['flow', 'loss'],
      );
    });

    it('passes on what is asked', async () => {
      const before = Date.now();
      await cli(
        'flows',
        '--container',
        'web',
        '--verdict',
        'dropped,audit',
        '--port',
        '443',
        '--protocol',
        'udp',
        '--direction',
        'egress',
        '--since',
        '10m',
        '--last',
        '7',
      );
      const [[method, filter, page] = []] = (running as TestServer).calls as [string, { since: number }, object][];
      assert.equal(method, 'flows');
      assert.ok(filter && filter.since >= before - 600_000 && filter.since <= Date.now() - 600_000);
      assert.deepEqual(
        { ...filter, since: 0 },
        { container: 'web', verdict: ['dropped', 'audit'], port: 443, protocol: 'udp', direction: 'egress', since: 0 },
      );
      assert.deepEqual(page, { limit: 7, before: undefined });
    });

    it('shows a line of the agent without letting it touch the terminal', async () => {
      const manager = fixedManager([], {
        followFlows: async function* () {
          yield {
            type: 'flow',
            ...(await fixedManager([]).flows({}, { limit: 1 }, new AbortController().signal)).flows[0],
            detail: '\u001b[2Jevil\nline',
          } as FlowLine;
        },
      });
      running = await startServer({ manager });
      const { out } = await cli('flows', '-f');
      assert.match(out, /\[2Jevil line\n$/);
      assert.ok(!out.includes('\u001b'));
    });

    for (const argv of [
      ['--verdict', 'allowed'],
      ['--port', '99999'],
      ['--since', '5 minutes'],
      ['--since', '10'],
      ['--last', '0'],
      ['--container', '../x'],
    ])
      it(`refuses ${argv.join(' ')} as a wrong command line`, async () => {
        const { code, err } = await cli('flows', ...argv);
        assert.equal(code, 2);
        assert.match(err, /It must be/);
      });
  });
});
