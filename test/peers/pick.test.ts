import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  FRESH_TRIES,
  PAUSE_MAX_MS,
  PAUSES_MAX,
  Pauses,
  pick,
  RECENT_MS,
  TRIES_MAX,
} from '../../src/peers/pick.ts'
import { A, B, endpointIn, ListBook, WALL_MS } from './outbound-setup.ts'

describe('a pick', () => {
  it('takes the first that fits', () => {
    const book = new ListBook(A, B)
    assert.equal(
      pick(book, {}, ({ endpoint }) => endpoint === B, WALL_MS),
      B,
    )
    assert.equal(book.draws, 2)
  })

  it('gives up after so many draws, and at once when the book is empty', () => {
    const book = new ListBook(A)
    assert.equal(
      pick(book, {}, () => false, WALL_MS),
      undefined,
    )
    assert.equal(book.draws, TRIES_MAX)
    const empty = new ListBook()
    assert.equal(
      pick(empty, {}, () => true, WALL_MS),
      undefined,
    )
    assert.equal(empty.draws, 1)
  })

  for (const [id, agoMs, draws] of [
    ['takes one tried a moment ago only after so many draws', 0, FRESH_TRIES + 1],
    ['so for ten minutes', RECENT_MS - 1, FRESH_TRIES + 1],
    ['and not longer', RECENT_MS, 1],
    ['nor when that time lies ahead: a clock was wrong', -RECENT_MS * 2, 1],
  ] as const) {
    it(id, () => {
      const book = new ListBook()
      book.put(A, { lastAttemptMs: WALL_MS - agoMs })
      assert.equal(
        pick(book, {}, () => true, WALL_MS),
        A,
      )
      assert.equal(book.draws, draws)
    })
  }

  it('asks for new ones only, when told', () => {
    const book = new ListBook()
    book.put(A, { isTried: true })
    book.put(B)
    assert.equal(
      pick(book, { newOnly: true }, () => true, WALL_MS),
      B,
    )
  })
})

describe('pauses', () => {
  it('double up to a minute, each spread by a quarter', () => {
    for (const [random, part] of [
      [0, 0.75],
      [0.5, 0.875],
      [0.999, 0.99975],
    ] as const) {
      const pauses = new Pauses(() => random)
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
        pauses.failed(A, 0)
        assert.equal(pauses.isPaused(A, seconds * 1_000 * part - 1), true, `${seconds}`)
        assert.equal(pauses.isPaused(A, seconds * 1_000 * part + 1), false, `${seconds}`)
      }
    }
  })

  it('are still a minute after thousands of failures', () => {
    const pauses = new Pauses(() => 0.5)
    for (let n = 0; n < 3_000; n++) pauses.failed(A, 0)
    assert.equal(pauses.isPaused(A, PAUSE_MAX_MS), false)
  })

  it('start small after a connection that stood for a minute, and only then', () => {
    for (const [stoodMs, pauseMs] of [
      [PAUSE_MAX_MS, 875],
      [PAUSE_MAX_MS - 1, 3_500],
    ] as const) {
      const pauses = new Pauses(() => 0.5)
      pauses.failed(A, 0)
      pauses.failed(A, 0)
      pauses.lost(A, stoodMs, 0)
      assert.deepEqual([pauses.isPaused(A, pauseMs - 1), pauses.isPaused(A, pauseMs)], [true, false])
    }
  })

  it('name those that are over, the longest untouched first, until they are lifted or begin anew', () => {
    const pauses = new Pauses(() => 0.5)
    pauses.failed(A, 0)
    pauses.failed(B, 0)
    assert.deepEqual([...pauses.due(874)], [])
    assert.deepEqual([...pauses.due(875)], [A, B])
    pauses.failed(A, 875)
    assert.deepEqual([...pauses.due(900)], [B])
    pauses.lift(A)
    assert.deepEqual([...pauses.due(900)], [B, A])
    pauses.lift('nobody')
    pauses.check()
  })

  it('are so many and no more; the one touched longest ago is forgotten', () => {
    const pauses = new Pauses(() => 0.5)
    for (let n = 0; n < PAUSES_MAX; n++) pauses.failed(endpointIn(1, n), 0)
    pauses.failed(endpointIn(1, 0), 0)
    pauses.failed(A.replace('9000', '1'), 0)
    assert.equal(pauses.size, PAUSES_MAX)
    assert.equal(pauses.isPaused(endpointIn(1, 0), 1), true)
    assert.equal(pauses.isPaused(endpointIn(1, 1), 1), false)
    pauses.check()
  })
})
