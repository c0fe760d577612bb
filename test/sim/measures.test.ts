import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAsExpected, line } from '../../src/cli/sim/report.ts'
import { parseAssertion } from '../../src/sim/assertion.ts'
import { judge } from '../../src/sim/judgement.ts'
import { Measures, type Sent } from '../../src/sim/measures.ts'
import type { Scenario } from '../../src/sim/scenario.ts'

const all = (): boolean => true

function sent(part: Partial<Sent> = {}): Sent {
  return { key: 'a', topic: 'tx', origin: 0, atMs: 1_000, sizeBytes: 100, phase: 0, ...part }
}

describe('Measures', () => {
  it('counts deliveries against all nodes but the sender', () => {
    const measures = new Measures(5)
    measures.sent(sent())
    assert.equal(measures.delivered(1, 'a', 0, 1_050), true)
    assert.equal(measures.delivered(2, 'a', 0, 1_060), true)
    assert.equal(measures.delivered(2, 'a', 1, 1_070), false, 'only the first delivery counts')
    assert.equal(measures.delivered(0, 'a', 1, 1_070), false, 'the sender is not to receive it')
    assert.equal(measures.delivered(3, 'b', 0, 1_070), false, 'nobody has sent that')
    assert.equal(measures.spread(all).coverage, 0.5)
  })

  it('has nothing to say without messages', () => {
    assert.deepEqual(new Measures(3).spread(all), {
      messages: 0,
      coverage: undefined,
      latencyMs: undefined,
      diameter: undefined,
      meanHops: undefined,
      payloadBytes: 0,
    })
  })

  it('takes quantiles of latencies, each one that occurred', () => {
    const measures = new Measures(101)
    measures.sent(sent())
    for (let node = 100; node >= 1; node--) measures.delivered(node, 'a', 0, 1_000 + node)
    assert.deepEqual(measures.spread(all).latencyMs, { p50: 50, p90: 90, p99: 99, max: 100 })
  })

  it('chooses messages by what the caller wants', () => {
    const measures = new Measures(2)
    measures.sent(sent({ key: 'a', phase: 0, sizeBytes: 10 }))
    measures.sent(sent({ key: 'b', phase: 1, sizeBytes: 20 }))
    measures.delivered(1, 'b', 0, 1_500)
    assert.equal(measures.spread(({ phase }) => phase === 0).coverage, 0)
    assert.equal(measures.spread(({ phase }) => phase === 1).coverage, 1)
    assert.equal(measures.spread(all).payloadBytes, 30)
  })

  it('does not count nodes that are down, or go down before a message comes', () => {
    const measures = new Measures(4)
    measures.wentDown(3)
    measures.sent(sent())
    measures.delivered(1, 'a', 0, 1_050)
    measures.wentDown(1)
    assert.equal(measures.spread(all).coverage, 0.5, 'node 1 has it, node 2 is to have it')
    measures.wentDown(2)
    assert.equal(measures.spread(all).coverage, 1)
    measures.cameUp(3)
    assert.equal(measures.delivered(3, 'a', 0, 2_000), false)
    measures.sent(sent({ key: 'b', atMs: 3_000 }))
    measures.delivered(3, 'b', 0, 3_010)
    assert.equal(measures.spread(({ key }) => key === 'b').coverage, 1, 'node 3 is the only one up')
  })

  it('leaves out what handlers rejected and nobody accepted', () => {
    const measures = new Measures(3)
    measures.sent(sent({ key: 'bad' }))
    measures.rejected('bad')
    measures.sent(sent({ key: 'torn' }))
    measures.rejected('torn')
    measures.delivered(1, 'torn', 0, 1_010)
    const { messages, coverage } = measures.spread(all)
    assert.deepEqual({ messages, coverage }, { messages: 1, coverage: 0.5 })
  })

  it('follows the delivery tree from the first copies, in whatever order they are known', () => {
    // 0 → 1 → 2 → 3, and 0 → 4. The parent of 5 is no node of ours, that of 6 is 5.
    const measures = new Measures(7)
    measures.sent(sent())
    const parents: [node: number, from: number | undefined][] = [
      [3, 2],
      [6, 5],
      [4, 0],
      [2, 1],
      [5, undefined],
      [1, 0],
    ]
    for (const [node, from] of parents) measures.delivered(node, 'a', from, 1_100)
    const { diameter, meanHops } = measures.spread(all)
    assert.deepEqual({ diameter, meanHops }, { diameter: 3, meanHops: (1 + 2 + 3 + 1) / 4 })
  })

  it('agrees with a naive count of hops on random trees', () => {
    const tree = fc.integer({ min: 2, max: 40 }).chain(nodes =>
      fc.record({
        parents: fc.tuple(
          ...Array.from({ length: nodes - 1 }, (_, index) => fc.integer({ min: 0, max: index })),
        ),
        order: fc.shuffledSubarray(
          Array.from({ length: nodes - 1 }, (_, index) => index + 1),
          { minLength: nodes - 1 },
        ),
      }),
    )
    fc.assert(
      fc.property(tree, ({ parents, order }) => {
        const measures = new Measures(parents.length + 1)
        measures.sent(sent())
        for (const node of order) measures.delivered(node, 'a', parents[node - 1], 1_001)
        const hopsOf = (node: number): number => (node === 0 ? 0 : 1 + hopsOf(parents[node - 1] ?? 0))
        const hops = order.map(hopsOf)
        const { diameter, meanHops } = measures.spread(all)
        assert.equal(diameter, Math.max(...hops))
        assert.ok(Math.abs((meanHops ?? 0) - hops.reduce((sum, it) => sum + it, 0) / hops.length) < 1e-9)
      }),
    )
  })

  it('finds when the first message since a heal had reached everyone', () => {
    const measures = new Measures(3)
    for (const [key, atMs] of Object.entries({ before: 900, torn: 1_100, whole: 1_200, later: 1_300 })) {
      measures.sent(sent({ key, atMs }))
    }
    measures.delivered(1, 'before', 0, 950)
    measures.delivered(2, 'before', 0, 5_000)
    measures.delivered(1, 'torn', 0, 1_150)
    assert.equal(measures.mergedMs(1_000), Number.POSITIVE_INFINITY)
    for (const key of ['later', 'whole']) {
      measures.delivered(1, key, 0, 1_400)
      measures.delivered(2, key, 1, key === 'whole' ? 1_500 : 1_350)
    }
    assert.equal(measures.mergedMs(1_000), 500)
  })
})

/** A run of three nodes and two phases, with one message in each. */
function judged(...claims: { text: string; expectedToFail?: string }[]) {
  const measures = new Measures(3)
  measures.sent(sent({ key: 'a', topic: 'tx', phase: 0, sizeBytes: 1_000 }))
  measures.delivered(1, 'a', 0, 1_050)
  measures.delivered(2, 'a', 1, 1_100)
  measures.sent(sent({ key: 'b', topic: 'blocks', phase: 1, sizeBytes: 4_000 }))
  measures.delivered(1, 'b', 0, 1_200)
  const scenario = {
    nodes: { count: 3 },
    events: [],
    traffic: [{ topic: 'tx' }, { topic: 'blocks' }],
    phases: [
      { name: 'start', fromMs: 0 },
      { name: 'healed', fromMs: 500 },
    ],
    claims: claims.map(claim => ({ ...claim, assertion: parseAssertion(claim.text) })),
  } as unknown as Scenario
  const states = [
    { fromBytes: 100, untilBytes: 3_100, connections: 2, attackerLinks: 0 },
    { fromBytes: 3_100, untilBytes: 15_100, connections: 1.5, attackerLinks: 0.5 },
  ]
  const members = [
    { index: 0, name: 'n1' },
    { index: 1, name: 'n2' },
    { index: 2, name: 'n3' },
    { index: 3, name: 'n4' },
  ]
  const crew = {
    members: members as never,
    isUp: (index: number) => index < 3,
    outbound: (index: number) => [4, 2, 3][index] ?? 0,
    mostAttackers: (index: number, direction: string) => (direction === 'inbound' ? 10 : 1) * index,
  }
  return judge(scenario, states, measures, crew)
}

describe('judge', () => {
  it('reports each phase', () => {
    const latencyMs = (ms: number) => ({ p50: ms, p90: ms, p99: ms, max: ms })
    assert.deepEqual(judged().reports, [
      {
        name: 'start',
        messages: 1,
        coverage: 1,
        latencyMs: { p50: 50, p90: 100, p99: 100, max: 100 },
        copies: 1.5,
        bytesPerNode: 1_000,
        connections: 2,
        diameter: 2,
        meanHops: 1.5,
      },
      {
        name: 'healed',
        messages: 1,
        coverage: 0.5,
        latencyMs: latencyMs(200),
        copies: 1.5,
        bytesPerNode: 4_000,
        connections: 1.5,
        diameter: 1,
        meanHops: 1,
      },
    ])
  })

  const values: [text: string, value: number | null, held: boolean][] = [
    ['coverage >= 0.75', 0.75, true],
    ['coverage(tx) == 1', 1, true],
    ['coverage(tx, healed) == 1', null, false],
    ['coverage(healed) < 1', 0.5, true],
    ['max(blocks) <= 199ms', 200, false],
    ['p50 <= 100ms', 100, true],
    ['messages == 2', 2, true],
    ['copies <= 1.5', 1.5, true],
    ['bytesPerNode <= 5kB', 5_000, true],
    ['bytesPerNode(start) == 1kB', 1_000, true],
    ['connections == 1.5', 1.5, true],
    ['connections(start) == 2', 2, true],
    ['attackerLinks <= 0', 0.5, false],
    ['outbound(n3) >= 3', 3, true],
    ['outbound >= 3', 2, false],
    // One that is down.
    ['outbound(n4) == 0', 0, true],
    ['inboundAttackers(n2) <= 10', 10, true],
    ['inboundAttackers(n1, n2) <= 8', 10, false],
    ['inboundAttackers < 30', 30, false],
    ['outboundAttackers == 3', 3, true],
  ]
  for (const [text, value, held] of values) {
    it(`${text}: ${value}, ${held ? 'held' : 'not held'}`, () => {
      const [assertion] = judged({ text }).assertions
      assert.deepEqual([assertion?.value, assertion?.held], [value, held])
    })
  }

  const marks: [id: string, text: string, mark: string | undefined, asExpected: boolean, shown: RegExp][] = [
    ['holds', 'coverage(tx) == 1', undefined, true, /^held +coverage\(tx\) == 1: 1$/],
    ['fails', 'coverage(tx) < 1', undefined, false, /^FAILED +coverage\(tx\) < 1: 1$/],
    ['fails as expected', 'max <= 1ms', 'it was 90 ms', true, /^known +max <= 1ms: 200 ms, .*it was 90 ms/],
    ['holds against its mark', 'max <= 1s', 'it was 2 s', false, /^FAILED .*take the mark away$/],
    ['has nothing to measure, marked', 'p50(tx, healed) <= 1s', 'x', true, /: nothing,/],
  ]
  for (const [id, text, expectedToFail, asExpected, shown] of marks) {
    it(`an assertion that ${id} ${asExpected ? 'passes' : 'fails'} the run`, () => {
      const mark = expectedToFail === undefined ? {} : { expectedToFail }
      const [assertion] = judged({ text, ...mark }).assertions
      assert.ok(assertion !== undefined)
      assert.equal(isAsExpected(assertion), asExpected)
      assert.match(line(assertion), shown)
    })
  }
})
