import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ClusterReport, percent, problemsOf, summary } from '../../../src/cli/cluster/report.ts'
import { Tally, type Totals } from '../../../src/cli/cluster/tally.ts'

const totals = (changes: Partial<Totals>): Totals => ({ ...new Tally(3).totals(), ...changes })
const spoilt = { sent: 3, rejectedBy: 6, beyondFirstHop: 0, delivered: 0, unjudged: 0 }

describe('problemsOf', () => {
  const cases: [string, Partial<Totals>, boolean, RegExp[]][] = [
    ['nothing missing', { messages: 2, deliveries: 4, spoilt }, true, []],
    ['a delivery is missing', { messages: 2, deliveries: 3 }, true, [/^1 of 4 deliveries are missing$/]],
    ['nothing was sent', {}, false, [/^no message was sent$/]],
    ['ended too early', {}, true, [/^ended before any message was sent$/]],
    ['all spoilt and rejected', { rejected: 3, spoilt }, true, []],
    [
      'all spoilt, one passed on',
      { rejected: 3, spoilt: { ...spoilt, beyondFirstHop: 1 } },
      true,
      [/beyond the first hop: 1 times/],
    ],
    [
      'all spoilt, one not judged',
      { rejected: 2, spoilt: { ...spoilt, unjudged: 1 } },
      true,
      [/^1 spoilt messages reached no gate$/],
    ],
    [
      'all spoilt, one ignored',
      { rejected: 2, spoilt },
      true,
      [/^1 spoilt messages were rejected by no node$/],
    ],
    ['all spoilt but what was refused', { refused: 1, spoilt }, true, [/refused all 1 messages/]],
    ['all spoilt but what left the books', { untracked: 1, spoilt }, false, [/^no message was sent$/]],
    ['all refused', { refused: 7 }, false, [/refused all 7 messages/]],
    ['some refused', { messages: 1, deliveries: 2, refused: 7 }, false, []],
    [
      'a spoilt copy went on',
      { messages: 1, deliveries: 2, spoilt: { ...spoilt, beyondFirstHop: 2, delivered: 1 } },
      false,
      [/beyond the first hop: 2 times, 1 of them accepted/],
    ],
    [
      'a spoilt copy was not judged',
      { messages: 1, deliveries: 2, spoilt: { ...spoilt, unjudged: 1 } },
      false,
      [/1 spoilt messages reached no gate/],
    ],
  ]
  for (const [id, changes, wasEnded, expected] of cases) {
    it(id, () => {
      const problems = problemsOf(totals(changes), 3, wasEnded)
      assert.equal(problems.length, expected.length)
      for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? '', pattern)
    })
  }
})

describe('percent', () => {
  const cases: [number, string][] = [
    [1, '100 %'],
    [0.999_99, '99.9 %'],
    [0.5, '50.0 %'],
    [0, '0.0 %'],
  ]
  for (const [share, expected] of cases) it(`${share}`, () => assert.equal(percent(share), expected))
})

describe('summary', () => {
  const report: ClusterReport = {
    ok: true,
    problems: [],
    nodes: 5,
    topic: 'demo',
    seed: '1',
    seconds: 61.2,
    messages: 1_200,
    deliveries: 4_800,
    coverage: 1,
    latencyMs: { p50: 1.234, p95: 5.6, max: 1_200 },
    copies: 1.5,
    payloadBytes: 1_200_000,
    bytesSent: 7_200_000,
    bytesPerNode: 1_440_000,
    rejected: 130,
    refused: 0,
    ignored: 0,
    corrupt: { sent: 130, rejectedBy: 520, beyondFirstHop: 0, delivered: 0 },
    skipped: 0,
    repeated: 0,
    untracked: 0,
    perNode: [],
  }

  it('is aligned, has units, and tells what went well', () => {
    assert.deepEqual(summary(report).split('\n'), [
      '5 nodes, topic demo, 1 min 01 s',
      '',
      'messages   1,200 accepted, 130 rejected',
      'coverage   100 % (4,800 of 4,800 deliveries)',
      'latency    p50 1.23 ms, p95 5.60 ms, max 1.20 s',
      'copies     1.50 of each payload byte and node, control messages included',
      'sent       7.20 MB by all nodes, 1.44 MB by each',
      'spoilt     130 sent, 520 times rejected, none beyond the first hop',
    ])
  })

  it('says why nothing is missing when every message was spoilt', () => {
    assert.deepEqual(
      summary({ ...report, messages: 0, deliveries: 0 })
        .split('\n')
        .slice(2),
      [
        'messages   0 accepted, 130 rejected',
        'coverage   100 % (every message was spoilt on purpose: nothing is missing)',
        'sent       7.20 MB by all nodes, 1.44 MB by each',
        'spoilt     130 sent, 520 times rejected, none beyond the first hop',
      ],
    )
  })

  it('says what failed, each problem on lines of its own, and what else there is to know', () => {
    const text = summary({
      ...report,
      ok: false,
      problems: ['node 3 died\n  why', 'more'],
      refused: 2,
      skipped: 1_000,
    })
    assert.match(text, /\nfailed {5}node 3 died\n {13}why\nfailed {5}more$/)
    assert.match(text, /rejected\n {11}2 refused by the gate\n {11}1,000 skipped/)
  })

  it('gives no figures about nothing', () => {
    assert.equal(
      summary({ ...report, messages: 0, coverage: 0, problems: ['why'] }),
      '5 nodes, topic demo, 1 min 01 s\n\nfailed     why',
    )
  })
})
