import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clockUs, type NodeStats } from '../../../src/cli/cluster/protocol.ts'
import { reportOf } from '../../../src/cli/cluster/report.ts'
import { Tally } from '../../../src/cli/cluster/tally.ts'
import { frame, nodeTable, type Viewed } from '../../../src/cli/cluster/view.ts'

const STATS: NodeStats = {
  peers: 4,
  meshPeers: 4,
  subscribers: 4,
  received: 1_234_567,
  accepted: 1_111_111,
  ignored: 0,
  rejected: 123_456,
  acceptedBytes: 1_000_000,
  sentBytes: 2_500_000,
  receivedBytes: 1_500_000,
}

/** A run of `nodes` nodes in which one message of 1,000 bytes has reached everybody 5 ms after it was sent. */
const viewed = (nodes: number, changes: Partial<Viewed> = {}): Viewed => {
  const tally = new Tally(nodes)
  const atUs = clockUs()
  tally.handle({ type: 'sent', id: 'a', node: 0, atUs, sizeBytes: 1_000, expect: 'accept' })
  for (let node = 1; node < nodes; node += 1) {
    tally.handle({ type: 'verdict', id: 'a', node, atUs: atUs + 5_000, from: 0, verdict: 'accept' })
  }
  return {
    plan: {
      nodes,
      topic: 'demo',
      seed: '1',
      wrapper: [],
      dataDir: '/nowhere',
      removeDataDir: true,
      traffic: { kind: 'generated', ratePerS: 1, sizeBytes: 1_000, reject: 0 },
    },
    tally,
    phase: 'sending',
    elapsedMs: 12_345,
    fleet: { countedBy: () => STATS, nodes: Array.from({ length: nodes }, () => ({ started: undefined })) },
    ...changes,
  }
}

describe('frame', () => {
  it('shows the run and a row for each node, in 80 columns even after a million messages', () => {
    const lines = frame(viewed(3), { rows: 24, columns: 80 })
    assert.equal(lines[0], 'floodgate cluster · 3 nodes · 12 s · ctrl-c ends · topic demo')
    assert.equal(lines[1], '1 messages · 0 rejected · coverage 100 % · p50 4.98 ms · p95 4.98 ms')
    assert.equal(lines[2], '')
    assert.match(lines[3] ?? '', /^node +peers +in +accepted +rejected +p50 ms +p95 ms +copies +sent$/)
    assert.match(lines[5] ?? '', /^ +2 +4 +1,234,567 +1,111,111 +123,456 +4\.98 +4\.98 +1\.50 +2\.50 MB$/)
    assert.equal(lines.length, 7)
    const untruncated = frame(viewed(3), { rows: 24, columns: 1_000 })
    assert.deepEqual(lines, untruncated)
  })

  it('never has more lines or longer lines than the screen, and says what it leaves out', () => {
    for (const rows of [1, 2, 3, 4, 5, 6, 12, 40]) {
      for (const columns of [1, 30, 200]) {
        const lines = frame(viewed(20), { rows, columns })
        assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`)
        assert.ok(lines.every(line => [...line].length <= columns))
      }
    }
    assert.equal(frame(viewed(20), { rows: 12, columns: 80 }).at(-1), '… 13 more')
    assert.equal(nodeTable(viewed(20), 21).length, 21)
  })

  it('has dashes where nothing is known yet, and counts the nodes that have started', () => {
    const fleet = { countedBy: () => undefined, nodes: [{ started: undefined }, { started: undefined }] }
    const lines = frame(viewed(2, { tally: new Tally(2), phase: 'starting', elapsedMs: 0, fleet }), {
      rows: 24,
      columns: 80,
    })
    assert.match(lines[0] ?? '', /starting 0 of 2 nodes · 0 s/)
    assert.equal(lines[1], '0 messages · 0 rejected · coverage – · p50 – · p95 –')
    assert.match(lines[4] ?? '', /^ +1 +0 +0 +0 +0 +– +– +– +0 B$/)
  })

  it('does not count a message that may be on its way as missing', () => {
    const run = viewed(2)
    run.tally.handle({ type: 'sent', id: 'b', node: 0, atUs: clockUs(), sizeBytes: 1, expect: 'accept' })
    assert.match(frame(run, { rows: 24, columns: 80 })[1] ?? '', /^2 messages .* coverage 100 %/)
    run.tally.handle({
      type: 'sent',
      id: 'c',
      node: 0,
      atUs: clockUs() - 60_000_000,
      sizeBytes: 1,
      expect: 'accept',
    })
    assert.match(frame(run, { rows: 24, columns: 80 })[1] ?? '', /^3 messages .* coverage 50\.0 %/)
  })
})

describe('reportOf', () => {
  it('computes coverage and copies by their definitions', () => {
    const run = { ...viewed(3), problems: [], skipped: 0, repeated: 0, wasEnded: true }
    run.tally.handle({ type: 'sent', id: 'b', node: 0, atUs: 0, sizeBytes: 3_000, expect: 'accept' })
    const report = reportOf(run)
    assert.equal(report.ok, false)
    assert.equal(report.coverage, 0.5)
    // Three nodes sent 2.5 MB each; two messages of 4 kB in all should have reached two nodes.
    assert.equal(report.copies, 7_500_000 / (2 * 4_000))
    assert.deepEqual([report.bytesSent, report.bytesPerNode, report.seconds], [7_500_000, 2_500_000, 12.345])
    assert.equal(report.perNode[1]?.copies, 1.5)
    assert.equal(report.corrupt, undefined)
  })

  it('never rounds a coverage up to 1', () => {
    const tally = new Tally(2)
    for (let id = 0; id < 3_000_000 / 30; id += 1) {
      tally.handle({ type: 'sent', id: `${id}`, node: 0, atUs: 0, sizeBytes: 1, expect: 'accept' })
      if (id > 0) tally.handle({ type: 'verdict', id: `${id}`, node: 1, atUs: 1, from: 0, verdict: 'accept' })
    }
    const report = reportOf({ ...viewed(2), tally, problems: [], skipped: 0, repeated: 0, wasEnded: true })
    assert.equal(report.coverage, 0.99999)
    assert.equal(report.ok, false)
  })
})
