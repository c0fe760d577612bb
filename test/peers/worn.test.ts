import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WORN_MAX, WORN_MS, Worn } from '../../src/peers/worn.ts'

describe('worn groups', () => {
  it('are so for a time, which begins anew with each use', () => {
    const worn = new Worn()
    worn.add('a', 0)
    assert.deepEqual(
      [worn.has('a', WORN_MS - 1), worn.has('a', WORN_MS), worn.has('b', 0)],
      [true, false, false],
    )
    worn.add('a', 1_000)
    assert.equal(worn.has('a', WORN_MS), true)
  })

  it('are so many and no more; the oldest is forgotten', () => {
    const worn = new Worn()
    for (let n = 0; n <= WORN_MAX; n++) worn.add(`${n}`, 0)
    worn.check()
    assert.deepEqual([worn.has('0', 0), worn.has('1', 0), worn.has(`${WORN_MAX}`, 0)], [false, true, true])
  })
})
