/**
 * Whole nodes in the simulator: that a run can be repeated, that time is what the link model says, and that nodes see of
 * faults what they would see in reality.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'
import { assertNear } from './support/wires.ts'

interface MeshRun {
  readonly hash: string
  readonly lines: number
  readonly accepted: number
}

describe('World: determinism', () => {
  it('gives the same trace for the same seed, also beside other work, and another for another', async () => {
    const [once, again] = await Promise.all([runChild<MeshRun>('mesh', '1'), runChild<MeshRun>('mesh', '1')])
    const [disturbed, other] = await Promise.all([
      runChild<MeshRun>('mesh', '1', 'load'),
      runChild<MeshRun>('mesh', '2'),
    ])
    assert.deepEqual(again, once)
    assert.deepEqual(disturbed, once)
    assert.notEqual(other.hash, once.hash)
    // A run in which nothing happens would be the same too.
    assert.ok(once.lines > 5_000 && once.accepted > 200, JSON.stringify(once))
  })
})

describe('World: calibration', () => {
  it('takes 450 ms a hop for 1 MB at 20 Mbit/s and 50 ms, along a line of five nodes', async () => {
    const arrivedMs = await runChild<number[]>('calibration', 'line')
    assert.equal(arrivedMs.length, 4)
    for (const [index, atMs] of arrivedMs.entries()) {
      assertNear(atMs - (arrivedMs[index - 1] ?? 0), 450, `hop ${index + 1}`)
    }
  })

  it('takes 3.25 s to eight receivers at once, who have it together', async () => {
    const arrivedMs = await runChild<number[]>('calibration', 'star')
    assert.equal(arrivedMs.length, 8)
    assertNear(Math.max(...arrivedMs), 3_250, 'the last')
    // Yamux gives some of them their windows a round trip earlier than others.
    assert.ok(Math.min(...arrivedMs) > 3_250 - 150, `the first: ${Math.min(...arrivedMs)}`)
  })
})

describe('World: faults', () => {
  let seen: Record<string, unknown>
  before(async () => {
    seen = await runChild('faults')
  })

  const everyoneElse = ['n1', 'n2', 'n3', 'n4', 'n5']
  const cases: [what: string, names: string[], expected: unknown[]][] = [
    [
      'lets no message across a partition, and all that were sent in it once it has healed',
      ['before', 'during', 'duringOther', 'late', 'after'],
      [everyoneElse, ['n1', 'n2'], ['n3', 'n4'], [5, 5], everyoneElse],
    ],
    [
      'says nothing of a crash: neighbours believe in the connection until their pings fail',
      ['farewells', 'stillBelieved', 'noticed'],
      [[], [true, true, true, true], [false, false, false, false]],
    ],
    [
      'times a dial out where the host is down, and refuses it where only the node has stopped',
      ['dialDead', 'dialStopped'],
      ['TIMEOUT after 5000 ms', 'DIAL after 100 ms'],
    ],
    [
      'brings a node back with its data, or without',
      ['isKept', 'restarted', 'isKeptAfterWipe'],
      [true, everyoneElse, false],
    ],
    ['cuts one link and no others', ['afterReset'], [[false, false, true]]],
    ['has clocks that are off', ['clocks'], [[0, 60_000]]],
  ]
  for (const [what, names, expected] of cases) {
    it(what, () => {
      assert.deepEqual(
        names.map(name => [name, seen[name]]),
        names.map((name, index) => [name, expected[index]]),
      )
    })
  }
})
