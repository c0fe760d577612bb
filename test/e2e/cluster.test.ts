/**
 * `floodgate cluster` with real processes. Every wait has a deadline; nothing waits for time to pass.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { ClusterReport } from '../../src/cli/cluster/report.ts'
import { allGone, Cluster, type Ended, endOf, eventually, isAlive } from './support/cluster-process.ts'

/** A gate over payloads of SHA-256(body) ‖ body, as a user might write it. `quick` makes it a leaky one. */
const gateModule = (quick: string): string => `
import { hash } from 'node:crypto'
console.log('a module may print')
const judge = ({ payload }) => hash('sha256', payload.subarray(32), 'buffer').equals(payload.subarray(0, 32))
export default { sealed: { handler: judge, maxPayloadBytes: 300000${quick} } }
`

/** A gate that takes everything, and makes a file when it is first asked. */
const notingModule = (path: string): string => `
import { writeFileSync } from 'node:fs'
export const noted = { handler: () => { writeFileSync(${JSON.stringify(path)}, 'x'); return 'accept' } }
`

const sealed = (body: Uint8Array): Uint8Array =>
  Buffer.concat([createHash('sha256').update(body).digest(), body])

describe('floodgate cluster', { concurrency: false }, () => {
  let folder = ''
  /** Where the cluster of one test has its temporary files: what it leaves there is no other test's failure. */
  let temporary = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cluster-test-'))
    for (const name of ['feed', 'kept']) await mkdir(join(folder, name))
    await writeFile(join(folder, 'gate.mjs'), gateModule(''))
    await writeFile(join(folder, 'leaky.mjs'), gateModule(', quickVerify: () => true'))
    await writeFile(join(folder, 'noting.mjs'), notingModule(join(folder, 'noted')))
    await writeFile(
      join(folder, 'never.mjs'),
      'export const stuck = { handler: () => new Promise(() => {}) }',
    )
    for (const [index, size] of [1, 500, 70_000, 250_000].entries()) {
      await writeFile(join(folder, 'feed', `${index}.bin`), sealed(randomBytes(size)))
    }
    const lines = Array.from({ length: 40 }, (_, line) => `{"line":${line}}`)
    await writeFile(join(folder, 'lines.jsonl'), `${lines.join('\n')}\n\n${lines[7]}\n`)
  })
  beforeEach(async () => {
    temporary = await mkdtemp(join(folder, 'tmp-'))
  })
  after(() => rm(folder, { recursive: true }))

  const start = (...args: string[]): Cluster => new Cluster(args, temporary)

  const jsonOf = (ended: Ended): ClusterReport => {
    // All of standard output, or it would not parse.
    assert.notEqual(ended.stdout, '', ended.stderr)
    return JSON.parse(ended.stdout) as ClusterReport
  }

  const assertNothingLeft = async (): Promise<void> => assert.deepEqual(await readdir(temporary), [])

  const sending = (cluster: Cluster): Promise<void> =>
    eventually('messages are sent', () => {
      assert.equal(cluster.process.exitCode, null, cluster.stdout + cluster.stderr)
      return cluster.stderr.includes('sending ')
    })

  it('runs a mesh for a while, and prints one JSON object', async () => {
    const ended = await endOf(start('--nodes', '3', '--for', '2s', '--json'))
    const report = jsonOf(ended)
    assert.deepEqual([ended.code, report.problems, report.coverage], [0, [], 1])
    assert.ok(report.messages >= 30, `${report.messages} messages`)
    assert.equal(report.deliveries, report.messages * 2)
    assert.equal(report.payloadBytes, report.messages * 1_000)
    assert.ok(report.rejected > 0)
    assert.equal(report.corrupt?.sent, report.rejected)
    assert.equal(report.corrupt?.beyondFirstHop, 0)
    const { p50, p95, max } = report.latencyMs
    assert.ok(0 < p50 && p50 <= p95 && p95 <= max)
    // A node sends each payload at least once; more than a full mesh would send, with as much again, is wrong.
    assert.ok(report.copies >= 1 && report.copies < 6, `${report.copies} copies`)
    assert.equal(
      report.perNode.reduce((sum, node) => sum + node.bytesSent, 0),
      report.bytesSent,
    )
    assert.equal(
      report.perNode.reduce((sum, node) => sum + node.accepted, 0),
      report.deliveries,
    )
    await assertNothingLeft()
  })

  it('takes rate, size and share of spoilt messages as it is told', async () => {
    const args = [
      '--nodes',
      '2',
      '--rate',
      '50',
      '--size',
      '2kB',
      '--reject',
      '50%',
      '--for',
      '2s',
      '--topic',
      'x',
      '--json',
    ]
    const report = jsonOf(await endOf(start(...args)))
    assert.equal(report.topic, 'x')
    assert.equal(report.payloadBytes, report.messages * 2_000)
    assert.ok(Math.abs(report.messages - report.rejected) <= 2, `${report.messages} and ${report.rejected}`)
    assert.equal(report.coverage, 1)
  })

  it('is content when every message is spoilt and none goes on', async () => {
    const ended = await endOf(start('--nodes', '3', '--reject', '1', '--for', '1s', '--json'))
    const report = jsonOf(ended)
    assert.deepEqual([ended.code, report.ok, report.problems], [0, true, []])
    assert.deepEqual([report.messages, report.deliveries, report.coverage], [0, 0, 1])
    const { sent = 0, beyondFirstHop, delivered } = report.corrupt ?? {}
    assert.ok(sent > 0)
    assert.deepEqual([report.rejected, beyondFirstHop, delivered], [sent, 0, 0])
  })

  it('feeds files through a gate of the user’s, and no spoilt copy beyond the first hop', async () => {
    const args = [
      '--nodes',
      '4',
      '--feed',
      join(folder, 'feed'),
      '--handler',
      join(folder, 'gate.mjs'),
      '--corrupt',
      '3',
    ]
    const ended = await endOf(start(...args, '--json'))
    const report = jsonOf(ended)
    assert.deepEqual([ended.code, report.problems], [0, []])
    assert.deepEqual([report.topic, report.messages, report.coverage], ['sealed', 4, 1])
    assert.equal(report.payloadBytes, 4 * 32 + 320_501)
    const { sent, rejectedBy = 0, beyondFirstHop, delivered } = report.corrupt ?? {}
    assert.deepEqual([sent, beyondFirstHop, delivered], [3, 0, 0])
    assert.ok(rejectedBy >= 3)
    await assertNothingLeft()
  })

  it('fails when a gate lets spoilt copies go on', async () => {
    const args = [
      '--nodes',
      '6',
      '--feed',
      join(folder, 'feed'),
      '--handler',
      join(folder, 'leaky.mjs'),
      '--corrupt',
      '6',
    ]
    const ended = await endOf(start(...args, '--json'))
    const report = jsonOf(ended)
    assert.equal(ended.code, 1)
    assert.equal(report.ok, false)
    assert.ok((report.corrupt?.beyondFirstHop ?? 0) > 0)
    assert.match(ended.stderr, /failed: spoilt messages were seen beyond the first hop/)
  })

  it('fails when the gate refuses everything', async () => {
    const args = [
      '--nodes',
      '2',
      '--feed',
      join(folder, 'lines.jsonl'),
      '--handler',
      join(folder, 'gate.mjs'),
    ]
    const ended = await endOf(start(...args))
    assert.equal(ended.code, 1)
    assert.match(ended.stdout, /failed +the gate refused all 1 messages/)
  })

  it('feeds lines, each once', async () => {
    const ended = await endOf(
      start('--nodes', '3', '--feed', join(folder, 'lines.jsonl'), '--lines', '--json'),
    )
    const report = jsonOf(ended)
    assert.deepEqual([ended.code, report.messages, report.repeated, report.coverage], [0, 40, 1, 1])
  })

  it('runs each node behind a command, and keeps data folders where it is told', async () => {
    const kept = join(folder, 'kept')
    const wrapper = `env 'NODE NAME=node {i}'`
    const ended = await endOf(
      start('--nodes', '3', '--for', '1s', '--exec', wrapper, '--data-dir', kept, '--json'),
    )
    assert.deepEqual([ended.code, jsonOf(ended).coverage], [0, 1])
    assert.deepEqual((await readdir(kept)).sort(), ['node-1', 'node-2', 'node-3'])
    assert.ok(existsSync(join(kept, 'node-1/identity.key')))
  })

  it('prints a table and a summary for people', async () => {
    const ended = await endOf(start('--nodes', '2', '--for', '1s'))
    assert.equal(ended.code, 0)
    assert.match(ended.stdout, /^node +peers +in +accepted +rejected +p50 ms +p95 ms +copies +sent\n +1 +1 /)
    assert.match(ended.stdout, /\ncoverage +100 % \(/)
    assert.doesNotMatch(ended.stdout, /failed|logged/)
  })

  it('shows who gave which part to whom', async () => {
    const words = ['--mode', 'swarm', '--size', '100kB', '--rate', '2', '--reject', '0', '--trace']
    const ended = await endOf(start('--nodes', '3', '--for', '2s', ...words))
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    assert.match(ended.stdout, /^trace of [0-9a-f]{16}…, 100 kB in 13 parts, from node [123]$/m)
    const givers = [...ended.stdout.matchAll(/^node \d [ABC] {2}← (.*)$/gm)].map(([, text = '']) => text)
    assert.equal(givers.length, 2)
    for (const text of givers) {
      const counts = [...text.matchAll(/[ABC] (\d+)/g)].map(([, count]) => Number(count))
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        13,
      )
    }
  })

  it('ends with the summary on SIGINT, and leaves nothing', async () => {
    const cluster = start('--nodes', '3', '--for', '10m', '--handler', join(folder, 'noting.mjs'))
    await eventually('a gate is asked', () => {
      assert.equal(cluster.process.exitCode, null, cluster.stdout + cluster.stderr)
      return existsSync(join(folder, 'noted'))
    })
    const nodes = cluster.nodes()
    assert.equal(nodes.length, 3)
    cluster.kill('SIGINT')
    const ended = await endOf(cluster)
    assert.deepEqual(nodes.filter(isAlive), [])
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    assert.match(ended.stdout, /coverage +100 %/)
    await assertNothingLeft()
  })

  it('kills everything at once on a second SIGINT', async () => {
    // What no gate ever judges keeps the first one waiting for the drain deadline of ten seconds.
    const cluster = start('--nodes', '2', '--for', '10m', '--handler', join(folder, 'never.mjs'))
    await sending(cluster)
    const nodes = cluster.nodes()
    const again = setInterval(() => cluster.kill('SIGINT'), 100)
    const ended = await endOf(cluster)
    clearInterval(again)
    assert.equal(ended.code, 130)
    await allGone(nodes)
    await assertNothingLeft()
  })

  it('leaves no node and no data when it is killed with kill -9', async () => {
    const cluster = start('--nodes', '3', '--for', '10m')
    await sending(cluster)
    const nodes = cluster.nodes()
    assert.equal(nodes.length, 3)
    cluster.kill('SIGKILL')
    await allGone(nodes)
    await assertNothingLeft()
  })

  it('leaves no node when it is killed while they start', async () => {
    const cluster = start('--nodes', '3', '--for', '10m')
    let nodes: number[] = []
    await eventually('three processes', () => {
      nodes = cluster.nodes()
      return nodes.length === 3
    })
    cluster.kill('SIGKILL')
    await allGone(nodes)
    await assertNothingLeft()
  })

  it('leaves nothing when it is killed before any node has heard of it', async () => {
    // Takes all that the cluster says, up to its death, and only then becomes the node.
    const deaf = `sh -c 'cat > /dev/null; exec "$0" "$@"'`
    const cluster = start('--nodes', '3', '--for', '10m', '--exec', deaf)
    let nodes: number[] = []
    await eventually('three processes', () => {
      nodes = cluster.nodes()
      return nodes.length === 3
    })
    cluster.kill('SIGKILL')
    await allGone(nodes)
    await assertNothingLeft()
  })

  it('fails, and says which, when a node is killed', async () => {
    const cluster = start('--nodes', '3', '--for', '10m')
    await sending(cluster)
    const nodes = cluster.nodes()
    const [, victim = 0] = nodes
    process.kill(victim, 'SIGKILL')
    const ended = await endOf(cluster)
    assert.equal(ended.code, 1)
    assert.match(ended.stdout, /failed +node [123] died \(signal SIGKILL\)/)
    assert.deepEqual(nodes.filter(isAlive), [])
    await assertNothingLeft()
  })

  it('says what kept a node from starting', async () => {
    const missing = await endOf(start('--nodes', '2', '--exec', '/nowhere/wrapper', '--json'))
    assert.equal(missing.code, 1)
    assert.match(jsonOf(missing).problems.join(), /node 1 could not be started: .*ENOENT/)
    const failing = await endOf(start('--nodes', '2', '--exec', `sh -c 'echo no such host >&2; exit 7'`))
    assert.equal(failing.code, 1)
    assert.match(failing.stdout, /node [12] died \(exit code 7\)\n +no such host/)
  })

  describe('ends with 2 and no output when it is asked for what it cannot do', () => {
    const cases: [string[], RegExp][] = [
      [['--nodes', '1'], /--nodes.*2 to 256/],
      [['--nodes', 'many'], /--nodes.*2 to 256/],
      [['--size', '63'], /--size.*at least 64 bytes/],
      [['--size', '5MB'], /--size: the topic allows/],
      [['--for', '10'], /--for.*duration/],
      [['--rate', '0'], /--rate/],
      [['--reject', '2'], /--reject.*fraction/],
      [['--mode', 'carrier-pigeon'], /--mode.*flood/],
      [['--exec', "'open"], /--exec.*quotes/],
      [['--bogus'], /unknown option.*--bogus/],
      [['surplus'], /too many arguments/],
      [['--lines'], /--lines needs --feed/],
      [['--feed', '/nowhere'], /--feed \/nowhere: ENOENT/],
      [['--handler', '/nowhere.ts'], /no such file/],
    ]
    for (const [args, message] of cases) {
      it(args.join(' '), async () => {
        const ended = await endOf(start(...args, '--json'))
        assert.equal(ended.code, 2, ended.stderr)
        assert.equal(ended.stdout, '')
        assert.match(ended.stderr, message)
        await assertNothingLeft()
      })
    }
  })
})
