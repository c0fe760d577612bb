/**
 * A network whose nodes come and go, for minutes; `test/long/churn.ts` does the same for hours.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runChild } from '../sim/support/child.ts'
import { problemsOf } from '../sim/support/churn-judgement.ts'
import type { Amounts, Churned } from '../sim/support/peers-churn.ts'

const AMOUNTS: Amounts = {
  atMinute: 5,
  nodesInMemory: 20,
  timers: 1_000,
  functions: 100_000,
  entries: 20_000,
  processListeners: 5,
  heapBytes: 60_000_000,
}

const GOOD: Churned = {
  looks: 20,
  tornAtS: [],
  departures: 10,
  nodeSeconds: 1_000,
  contentSeconds: 950,
  fewSeconds: 30,
  early: AMOUNTS,
  late: AMOUNTS,
  cpuSeconds: 1,
}

describe('Peers in a world: churn', () => {
  it('holds 20 nodes together for five minutes, and everyone near its target', async () => {
    const churned = await runChild<Churned>('peers-churn', '1', '5', '20')
    // In so short a time the books are still filling.
    assert.deepEqual(problemsOf(churned, 3), [], JSON.stringify(churned))
  })

  const broken: [id: string, churned: Partial<Churned>, problem: RegExp][] = [
    ['a network that was torn', { tornAtS: [120] }, /^torn at 120 s$/],
    ['nobody who left', { departures: 0 }, /^nothing was tested$/],
    ['too much time below the target', { contentSeconds: 940 }, /^only 94.0 % of the time/],
    ['no time at all', { nodeSeconds: 0, contentSeconds: 0 }, /^only NaN %/],
    ['somebody with too few for too long', { fewSeconds: 31 }, /^below two thirds for 31 s$/],
    ['timers that grow', { late: { ...AMOUNTS, timers: 1_151 } }, /^timers: 15.1 % more than before$/],
    ['listeners that grow', { late: { ...AMOUNTS, functions: 120_000 } }, /^functions: 20.0 %/],
    ['maps that grow', { late: { ...AMOUNTS, entries: 40_000 } }, /^entries: 100.0 %/],
    ['listeners of the process', { late: { ...AMOUNTS, processListeners: 6 } }, /^listeners of the process/],
    ['memory that grows', { late: { ...AMOUNTS, heapBytes: 70_000_000 } }, /^heap: 16.7 %/],
  ]
  for (const [id, churned, problem] of broken) {
    it(`would tell of ${id}`, () => {
      const [first, ...others] = problemsOf({ ...GOOD, ...churned })
      assert.match(first ?? '', problem)
      assert.deepEqual(others, [])
    })
  }

  it('has nothing to say of a good one', () => assert.deepEqual(problemsOf(GOOD), []))
})
