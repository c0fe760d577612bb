/**
 * Acknowledgements in swarms: whoever gives us a chunk is told that it came, each time, and nobody else is. Nothing but
 * such a word frees a window.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pacing } from '../../src/gossip/pacing.ts'
import {
  ALL,
  Alone,
  asksOf,
  CHUNK,
  COUNT,
  chunkAt,
  chunksOf,
  EMPTY,
  framesOf,
  gotsOf,
  KEY,
  lacksOf,
  PAYLOAD,
} from './swarm-alone.ts'

describe('the acknowledgements of a node in swarms', () => {
  it('do not collect what is to be told when a chunk comes again and again', () => {
    for (const isOpen of [true, false]) {
      const alone = new Alone()
      alone.begin('a', { isOpen })
      for (let copy = 0; copy < 5_000; copy++) alone.give('a', 0)
      assert.deepEqual(framesOf(alone.handle({ type: 'flush' }), 'a'), [{ ...EMPTY, got: [0] }])
    }
  })

  it('acknowledge each coming of a chunk to the one that it came from, once, open or not', () => {
    for (const isOpen of [true, false]) {
      const alone = new Alone(['a', 'b', 'c'])
      alone.begin('a', { isOpen, neighbours: ['a', 'b', 'c'] })
      alone.handle({ type: 'flush' })
      const comings = [
        ['a', 0],
        ['b', 0],
        ['a', 0],
        ['b', 0],
      ] as const
      for (const [peer, index] of comings) {
        const told = [...alone.give(peer, index), ...alone.handle({ type: 'flush' })]
        assert.deepEqual([gotsOf(told, peer), gotsOf(told)], [[index], [index]])
        assert.deepEqual(gotsOf([...alone.pass(100), ...alone.handle({ type: 'flush' })]), [])
      }
    }
  })

  it('acknowledge with the next frame, whatever that is for', () => {
    const alone = new Alone()
    alone.begin('a', { isOpen: false })
    alone.give('a', 0)
    assert.ok(alone.machine.hasUntold)
    const [asking, ...others] = framesOf(alone.give('a', 1, { have: [5] }), 'a')
    assert.deepEqual([asking?.ask, asking?.got, others], [[5], [0, 1], []])
    assert.deepEqual(gotsOf(alone.handle({ type: 'flush' })), [])
  })

  it('acknowledge what came before the swarm began, and nothing that is wrong or of no swarm', () => {
    const alone = new Alone()
    alone.give('a', 0)
    assert.deepEqual(framesOf(alone.handle({ type: 'flush' })), [])
    const begun = [...alone.begin('a'), ...alone.handle({ type: 'flush' })]
    assert.deepEqual([gotsOf(begun, 'a'), gotsOf(begun, 'b')], [[0], []])
    alone.frame('a', { chunk: { ...chunkAt(1), data: new Uint8Array(CHUNK) } })
    assert.deepEqual(gotsOf(alone.handle({ type: 'flush' })), [])
  })

  it('take only an acknowledgement as one: what a neighbour has may have come from another', () => {
    const alone = new Alone(['a'])
    const given = alone.begin(undefined, { neighbours: ['a'] })
    assert.deepEqual(chunksOf(given).toSorted(), ALL)
    const { pacing } = [...alone.machine.peers()][0] as { pacing: Pacing }
    const windowBytes = pacing.windowBytes
    const inFlight = (): number => pacing.inFlightBytes / CHUNK
    assert.equal(inFlight(), COUNT)
    alone.nowMs += 50
    alone.frame('a', { have: [0, 1, 2] })
    alone.give('a', 3)
    alone.frame('a', { lack: [4] })
    alone.frame('a', { complete: true })
    assert.deepEqual([inFlight(), pacing.baseMs, pacing.windowBytes], [COUNT, undefined, windowBytes])
    alone.frame('a', { got: [0, 1, 1] })
    alone.frame('a', { got: [1] })
    assert.deepEqual([inFlight(), pacing.baseMs], [COUNT - 2, 50])
  })

  it('take an acknowledgement as a sign that the neighbour has the chunk', () => {
    const alone = new Alone(['a'])
    alone.begin('b', { neighbours: ['a'], isOpen: false })
    alone.give('b', 0)
    assert.deepEqual(asksOf(alone.frame('a', { got: [3] })), [3])
    alone.give('a', 0)
    alone.frame('a', { got: [0] })
    assert.deepEqual(chunksOf(alone.handle({ type: 'open', key: KEY })), [])
  })

  it('free the window of one neighbour with what it acknowledges, and not that of another', () => {
    const alone = new Alone()
    alone.begin(undefined)
    const [a, b] = [...alone.machine.peers()].map(({ pacing }) => pacing)
    assert.deepEqual([a?.inFlightBytes, b?.inFlightBytes], [PAYLOAD.byteLength, PAYLOAD.byteLength])
    alone.frame('a', { got: ALL })
    assert.deepEqual([a?.inFlightBytes, b?.inFlightBytes], [0, PAYLOAD.byteLength])
  })

  it('let a late acknowledgement free the window when the swarm is over, and nothing else', () => {
    const alone = new Alone()
    alone.begin(undefined)
    alone.handle({ type: 'end', key: KEY })
    const { pacing } = [...alone.machine.peers()][0] as { pacing: Pacing }
    assert.equal(pacing.inFlightBytes, PAYLOAD.byteLength)
    assert.deepEqual(alone.frame('a', { have: ALL, complete: true }), [])
    assert.equal(pacing.inFlightBytes, PAYLOAD.byteLength)
    assert.deepEqual(alone.frame('a', { got: ALL.slice(1) }), [])
    assert.equal(pacing.inFlightBytes, CHUNK)
    assert.deepEqual(lacksOf(alone.frame('a', { got: [0], ask: [5] })), [5])
    assert.equal(pacing.inFlightBytes, 0)
    // Numbers that no chunk has change nothing.
    assert.deepEqual(alone.frame('a', { got: [4_095] }), [])
  })
})
