/**
 * The window of one neighbour: what it does in single cases, and what always holds.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Pacing, START_BYTES } from '../../src/gossip/pacing.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

const CHUNK = 16_384

/** A line of one rate and length: what is sent is acknowledged when it has gone through. */
class Line {
  readonly pacing = new Pacing()
  nowMs = 0
  #freeAtMs = 0
  #chunks = 0

  /** Sends as much as there is room for, until so many chunks have gone; the longest time one took. */
  send(count: number, bytesPerMs: number, wayMs: number): number {
    const under: { chunk: string; sentAtMs: number; arrivesAtMs: number }[] = []
    let slowestMs = 0
    let sent = 0
    while (sent < count || under.length > 0) {
      while (sent < count && this.pacing.hasRoom()) {
        const chunk = `c${this.#chunks++}`
        this.#freeAtMs = Math.max(this.#freeAtMs, this.nowMs) + CHUNK / bytesPerMs
        this.pacing.sent(chunk, CHUNK, this.nowMs)
        under.push({ chunk, sentAtMs: this.nowMs, arrivesAtMs: this.#freeAtMs + wayMs })
        sent++
      }
      const next = under.shift()
      if (next === undefined) break
      this.nowMs = next.arrivesAtMs
      slowestMs = Math.max(slowestMs, this.nowMs - next.sentAtMs)
      assert.ok(this.pacing.acknowledged(next.chunk, this.nowMs))
      this.pacing.check()
    }
    return slowestMs
  }
}

describe('pacing', () => {
  it('grows to what a fast line takes, and no further than 4 MiB', () => {
    const line = new Line()
    line.send(2_000, 100_000, 50)
    assert.ok(line.pacing.windowBytes > 1_000_000, `${line.pacing.windowBytes}`)
    assert.ok(line.pacing.windowBytes <= 4 * 2 ** 20)
    assert.ok((line.pacing.baseMs ?? 0) >= 50 && (line.pacing.baseMs ?? 0) < 51)
  })

  it('keeps the queue of a slow line short', () => {
    for (const bytesPerMs of [250, 1_000, 2_500]) {
      const line = new Line()
      line.send(300, bytesPerMs, 50)
      const slowestMs = line.send(300, bytesPerMs, 50)
      const leastMs = 50 + CHUNK / bytesPerMs
      assert.ok(slowestMs <= leastMs + 75 + (2 * CHUNK) / bytesPerMs, `${bytesPerMs}: ${slowestMs} ms`)
    }
  })

  it('shrinks when the line becomes slow, at most by half in a round trip', () => {
    const pacing = new Pacing()
    const send = (chunk: string, sentAtMs: number, atMs: number): number => {
      pacing.sent(chunk, CHUNK, sentAtMs)
      pacing.acknowledged(chunk, atMs)
      return pacing.windowBytes
    }
    assert.equal(send('a', 0, 50), START_BYTES)
    const once = send('b', 100, 400)
    assert.ok(once < START_BYTES && once >= START_BYTES / 2)
    assert.equal(send('c', 100, 401), once)
    assert.ok(send('d', 1_000, 1_300) < once)
  })

  it('is never so small that nothing can leave', () => {
    const pacing = new Pacing()
    pacing.sent('first', 1, 0)
    pacing.acknowledged('first', 10)
    for (let index = 0; index < 100; index++) {
      assert.ok(pacing.hasRoom())
      pacing.sent(`c${index}`, CHUNK, index * 2_000)
      pacing.acknowledged(`c${index}`, index * 2_000 + 1_000)
      pacing.check()
    }
    assert.ok(pacing.windowBytes >= 1 && pacing.windowBytes < CHUNK)
  })

  it('does not grow while it is not used up', () => {
    const pacing = new Pacing()
    for (let index = 0; index < 100; index++) {
      assert.ok(pacing.hasRoom())
      pacing.sent(`c${index}`, 1_000, index * 100)
      pacing.acknowledged(`c${index}`, index * 100 + 50)
    }
    assert.equal(pacing.windowBytes, START_BYTES)
  })

  it('forgets what was not acknowledged in 5 seconds, and starts again small', () => {
    const pacing = new Pacing()
    pacing.sent('a', CHUNK, 0)
    pacing.sent('b', CHUNK, 1_000)
    assert.equal(pacing.hasRoom(), false)
    pacing.tick(4_999)
    assert.deepEqual([pacing.isUnderWay('a'), pacing.inFlightBytes], [true, 2 * CHUNK])
    pacing.tick(5_000)
    assert.deepEqual(
      [pacing.isUnderWay('a'), pacing.isUnderWay('b'), pacing.inFlightBytes],
      [false, true, CHUNK],
    )
    assert.equal(pacing.acknowledged('a', 5_001), false)
    assert.deepEqual([pacing.windowBytes, pacing.hasRoom(), pacing.baseMs], [START_BYTES, true, undefined])
  })

  it('counts a chunk that is sent again once, from then on', () => {
    const pacing = new Pacing()
    pacing.sent('a', CHUNK, 0)
    pacing.sent('a', CHUNK, 4_000)
    pacing.tick(6_000)
    assert.deepEqual([pacing.inFlightBytes, pacing.isUnderWay('a')], [CHUNK, true])
    pacing.acknowledged('a', 6_050)
    assert.equal(pacing.baseMs, 2_050)
  })

  it('forgets the shortest way after two minutes', () => {
    const pacing = new Pacing()
    const ways: [atMs: number, wayMs: number, baseMs: number][] = [
      [0, 10, 10],
      [30_000, 80, 10],
      [61_000, 80, 10],
      [122_000, 80, 80],
    ]
    for (const [atMs, wayMs, baseMs] of ways) {
      pacing.sent('a', 1, atMs)
      pacing.acknowledged('a', atMs + wayMs)
      assert.equal(pacing.baseMs, baseMs)
    }
  })
})

const event = fc.record({
  waitMs: fc.constantFrom(0, 0, 1, 10, 50, 200, 1_000, 6_000),
  type: fc.constantFrom(
    'send' as const,
    'send' as const,
    'acknowledge' as const,
    'acknowledge' as const,
    'tick' as const,
  ),
  chunk: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
  sizeBytes: fc.constantFrom(1, 1_000, CHUNK, 2 ** 20),
})

describe('pacing under random events', () => {
  it('counts what is under way, never more than the window and a chunk, and can always go on', () => {
    forRandomEvents(event, { runs: 200, most: 200 }, events => {
      const pacing = new Pacing()
      const under = new Map<string, { sizeBytes: number; sentAtMs: number }>()
      let nowMs = 0
      for (const { waitMs, type, chunk, sizeBytes } of events) {
        nowMs += waitMs
        const before = pacing.windowBytes
        if (type === 'send' && !under.has(chunk) && pacing.hasRoom()) {
          assert.ok(pacing.inFlightBytes === 0 || pacing.inFlightBytes < pacing.windowBytes)
          pacing.sent(chunk, sizeBytes, nowMs)
          under.delete(chunk)
          under.set(chunk, { sizeBytes, sentAtMs: nowMs })
        } else if (type === 'acknowledge') {
          assert.equal(pacing.acknowledged(chunk, nowMs), under.delete(chunk))
          assert.ok(pacing.windowBytes >= Math.max(1, before / 2 - 1))
        } else if (type === 'tick') {
          pacing.tick(nowMs)
          for (const [one, { sentAtMs }] of under) if (nowMs - sentAtMs >= 5_000) under.delete(one)
        }
        pacing.check()
        const bytes = [...under.values()].reduce((sum, one) => sum + one.sizeBytes, 0)
        assert.equal(pacing.inFlightBytes, bytes)
        for (const one of 'abcdefgh') assert.equal(pacing.isUnderWay(one), under.has(one))
        if (under.size === 0) assert.ok(pacing.hasRoom())
      }
    })
  })
})
