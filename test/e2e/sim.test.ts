/**
 * `floodgate sim` as a user runs it: small scenarios from end to end, in processes of their own.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'floodgate-sim-'))
})

after(() => rmSync(folder, { recursive: true, force: true }))

function sim(...args: string[]): Promise<Ended> {
  return new Promise(resolve => {
    execFile(process.execPath, [CLI, 'sim', ...args], { timeout: 100_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** Everything that leaves room for chance: jitter, partitions, churn, attackers of every kind. */
const EVENTFUL = `
duration: 30s
warmup: 10s
drain: 5s
nodes: { count: 10, connect: 3 }
classes: { home: { share: 70%, up: 10mbit }, server: {} }
regions: { preset: world8 }
jitter: 5ms
slowStart: true
traffic:
  - { topic: tx, size: 1kB, rate: 2/s }
  - { topic: blocks, size: 50kB, every: 10s, from: server, validate: { quick: 5ms, full: 50ms } }
events:
  - { at: 5s, kind: partition, for: 5s, groups: [50%, rest] }
  - { at: 12s, kind: churn, for: 8s, rate: 30/m, away: 4s, crash: 0.5, keepData: false }
  - { at: 12s, kind: skew, nodes: n1, by: -30s }
  - { at: 14s, kind: reset, share: 20% }
  - { at: 16s, kind: rates, for: 5s, nodes: n2..n3, up: 1mbit }
  - { at: 22s, kind: restart, nodes: n4 }
  - { at: 28s, kind: mark }
attackers:
  - { kind: sybil, count: 2, connections: 4 }
  - { kind: spam, count: 1, connections: 4, rate: 2/s }
  - { kind: slow-reader, count: 1, connections: 4 }
  - { kind: oversized, count: 1, connections: 2, rate: 1/s }
  - { kind: impostor, count: 2, connections: 4 }
assert:
  - coverage(start) == 1
  - max(tx, partition) >= 1s
  - outbound(n1) >= 1
  - outboundAttackers == 0
  - inboundAttackers >= 2
  - messages(mark) >= 1
  - mergedAfterHeal <= 20s
`

/** Impostors of one network group, and nodes that look for others. */
const IMPOSTORS = `
duration: 20s
warmup: 20s
drain: 2s
nodes: { count: 8, connect: 2, discovery: peers, config: { connections: { perGroupMax: 3 } } }
traffic: [{ topic: tx, every: 2s }]
attackers: [{ kind: impostor, count: 12, connections: 3 }]
assert:
  - coverage == 1
  - outboundAttackers == 1
  - inboundAttackers == 3
  - inboundAttackers(n1) <= 3
`

const QUIET = `
duration: 3s
warmup: 3s
drain: 2s
nodes: { count: 4, shape: line, config: { preset: lan } }
traffic: [{ topic: tx, every: 1s, from: n1 }]
`

describe('floodgate sim', () => {
  it('runs the same scenario and seed the same, and another seed differently', {
    timeout: 120_000,
  }, async () => {
    const file = write('eventful.yaml', EVENTFUL)
    const trace = join(folder, 'trace')
    const runs = await sim(file, '--json', '--seeds', '1..2', '--trace', trace)
    assert.equal(runs.code, 0, runs.stderr)
    const again = await sim(file, '--json', '--seed', '1')
    const [one, two] = runs.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const replay = JSON.parse(again.stdout)
    assert.deepEqual([one.seed, two.seed], ['1', '2'])
    assert.match(one.traceHash, /^[0-9a-f]{64}$/)
    assert.equal(replay.traceHash, one.traceHash)
    assert.deepEqual(replay.phases, one.phases)
    assert.notEqual(two.traceHash, one.traceHash)
    const lines = readFileSync(`${trace}.1`, 'utf8').split('\n')
    for (const kind of ['deliver', 'partition', 'heal', 'crash', 'reset', 'skew', 'rates', 'stop']) {
      assert.ok(
        lines.some(line => line.split(' ')[1] === kind),
        `nothing in the trace is a ${kind}`,
      )
    }
    for (const attacker of ['sybil1-2', 'spam2-1', 'slow-reader3-1', 'oversized4-1', 'impostor5-2']) {
      assert.ok(
        lines.some(line => line.includes(` data ${attacker}>`)),
        `${attacker} never said anything`,
      )
    }
  })

  it('has impostors whom nodes take for nodes, as far as the rules of groups allow', {
    timeout: 60_000,
  }, async () => {
    const { code, stderr } = await sim(write('impostors.yaml', IMPOSTORS), '--json')
    assert.equal(code, 0, stderr)
  })

  it('prints one object with --json', { timeout: 60_000 }, async () => {
    const text = `${QUIET}assert: [coverage(tx) == 1, { assert: max <= 1ms, expectedToFail: 3 hops of 50 ms }]\n`
    const { code, stdout, stderr } = await sim(write('json.yaml', text), '--json')
    assert.equal(code, 0, stderr)
    const { traceHash, cpuSeconds, peakMemoryBytes, ...report } = JSON.parse(stdout)
    assert.ok(cpuSeconds > 0 && peakMemoryBytes > 0 && traceHash !== '')
    const [phase] = report.phases
    assert.deepEqual([phase.name, phase.messages, phase.coverage], ['start', 3, 1])
    assert.deepEqual([phase.diameter, phase.meanHops], [3, 2])
    // Nothing but the latency takes time: 50 ms a hop.
    for (const [part, ms] of Object.entries({ p50: 100, p99: 150, max: 150 })) {
      assert.ok(Math.abs(phase.latencyMs[part] - ms) < 1, `${part}: ${phase.latencyMs[part]}`)
    }
    assert.ok(phase.copies > 1 && phase.bytesPerNode > 1_000)
    assert.equal(phase.connections, 1.5)
    assert.deepEqual(report.assertions[0], { text: 'coverage(tx) == 1', value: 1, held: true })
    const { text: marked, held, expectedToFail } = report.assertions[1]
    assert.deepEqual([marked, held, expectedToFail], ['max <= 1ms', false, '3 hops of 50 ms'])
    assert.deepEqual([report.seed, report.nodes, report.ok, report.simulatedSeconds], ['1', 4, true, 8])
  })

  it('prints tables, and for a failure the seed, the assertion and the end of the trace', {
    timeout: 60_000,
  }, async () => {
    const { code, stdout, stderr } = await sim(
      write('fails.yaml', `${QUIET}assert: [max <= 1ms]\n`),
      '--seed',
      '77',
    )
    assert.equal(code, 1)
    assert.match(stdout, /^phase +msgs +coverage +p50/)
    assert.match(stdout, /^start +3 +100 % +100 ms/m)
    assert.match(stderr, /^seed 77:\nFAILED +max <= 1ms: 150 ms\nthe last 50 lines of the trace:\n/)
    const lines = stderr.trim().split('\n').slice(3)
    assert.equal(lines.length, 50)
    for (const line of lines) assert.match(line, /^\d+\.\d{3} [a-z]+ /)
  })

  it('fails when a marked assertion holds', { timeout: 60_000 }, async () => {
    const text = `${QUIET}assert: [{ assert: coverage == 1, expectedToFail: it was 0.5 }]\n`
    const { code, stderr } = await sim(write('marked.yaml', text))
    assert.equal(code, 1)
    assert.match(stderr, /coverage == 1: 1, though expected to fail \(it was 0\.5\): take the mark away/)
  })

  it('takes nodes and duration from the command line', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await sim(
      write('short.yaml', QUIET),
      '--nodes',
      '2',
      '--for',
      '1s',
      '--json',
    )
    assert.equal(code, 0, stderr)
    const { nodes, phases } = JSON.parse(stdout)
    assert.deepEqual([nodes, phases[0].messages, phases[0].diameter], [2, 1, 1])
  })

  it('asks a module of handlers, and counts nothing that they refuse', { timeout: 60_000 }, async () => {
    write(
      'gate.mjs',
      `let count = 0
export const tx = { handler: () => count++ === 0 }`,
    )
    // Of the first message the first node to judge is the only one that says yes, and all later ones are refused.
    const { code, stdout, stderr } = await sim(write('gate.yaml', `${QUIET}handlers: ./gate.mjs\n`), '--json')
    assert.equal(code, 0, stderr)
    const [{ messages, coverage }] = JSON.parse(stdout).phases
    assert.deepEqual([messages, coverage > 0 && coverage < 1], [1, true])
  })

  it('tells of a module that breaks the run, with the end of the trace', { timeout: 60_000 }, async () => {
    write(
      'breaks.mjs',
      `export const tx = {
      handler: () => {
        setTimeout(() => { throw new Error('out of a timer') }, 10)
        return true
      },
    }`,
    )
    const trace = join(folder, 'broken')
    const file = write('breaks.yaml', `${QUIET}handlers: ./breaks.mjs\n`)
    const { code, stderr } = await sim(file, '--trace', trace)
    assert.equal(code, 1)
    assert.match(stderr, /the run failed: Error: out of a timer\n[\s\S]*the last 50 lines of the trace:\n/)
    const lastLine = stderr.trim().split('\n').at(-1) ?? ''
    assert.equal(readFileSync(trace, 'utf8').trim().split('\n').at(-1), lastLine)
  })

  const wrong: [id: string, args: (file: string) => string[], problem: RegExp][] = [
    [
      'a mistake in the scenario',
      file => [file],
      /bad\.yaml:2:9 nodes: .*\n.*bad\.yaml:3:1 tarffic: unknown key/s,
    ],
    ['a mistake, once for many seeds', file => [file, '--seeds', '1..4'], /^(?!.*problems.*problems)/s],
    ['no such file', () => ['none.yaml'], /none\.yaml: there is no such file/],
    ['no scenario', () => [], /missing required argument/],
    ['seeds that are no range', file => [file, '--seeds', '3'], /Expected a range such as 1\.\.20/],
    ['a seed and seeds', file => [file, '--seed', '3', '--seeds', '1..2'], /cannot be used with/],
  ]
  for (const [id, args, problem] of wrong) {
    it(`exits with 2 for ${id}`, { timeout: 60_000 }, async () => {
      const file = write('bad.yaml', 'duration: 10s\nnodes:  3\ntarffic: []\n')
      const { code, stderr } = await sim(...args(file))
      assert.equal(code, 2, stderr)
      assert.match(stderr, problem)
    })
  }

  it('exits with 2 for handlers that lack a topic', { timeout: 60_000 }, async () => {
    write('other.mjs', 'export const other = { handler: () => true }')
    const { code, stderr } = await sim(write('lacks.yaml', `${QUIET}handlers: ./other.mjs\n`))
    assert.equal(code, 2, stderr)
    assert.match(stderr, /no topic tx/)
  })
})
