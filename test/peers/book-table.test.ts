import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import { BookTable } from '../../src/peers/book-table.ts'

function sequence(...numbers: number[]): () => number {
  return () => numbers.shift() ?? assert.fail('one number too many is drawn')
}

describe('a table of the book', () => {
  it('holds what was put, where it was put', () => {
    const table = new BookTable<string>(4)
    table.put(3, 63, 'a')
    table.put(3, 0, 'b')
    table.put(0, 5, 'c')
    assert.deepEqual(
      [table.at(3, 63), table.at(3, 0), table.at(0, 5), table.at(0, 6)],
      ['a', 'b', 'c', undefined],
    )
    assert.deepEqual([table.counts(), table.size], [[1, 0, 0, 2], 3])
    table.clear(3, 63)
    table.clear(0, 5)
    assert.deepEqual([table.at(3, 63), table.counts(), table.size], [undefined, [0, 0, 0, 1], 1])
    table.check()
  })

  it('does not put two into one place, nor clear an empty one', () => {
    const table = new BookTable<string>(4)
    table.put(1, 1, 'a')
    assert.throws(() => table.put(1, 1, 'b'))
    assert.throws(() => table.put(4, 0, 'b'))
    assert.throws(() => table.put(0, 64, 'b'))
    assert.throws(() => table.clear(1, 2))
    assert.throws(() => table.clear(2, 2))
    assert.equal(table.size, 1)
  })

  it('draws a bucket in use, then a place, and takes the first from there round about', () => {
    const table = new BookTable<string>(1024)
    table.put(7, 10, 'low')
    table.put(7, 20, 'high')
    table.put(900, 0, 'other')
    assert.equal(table.random(sequence(0.49, 10.5 / 64)), 'low')
    assert.equal(table.random(sequence(0.49, 11 / 64)), 'high')
    assert.equal(table.random(sequence(0, 21 / 64)), 'low')
    assert.equal(table.random(sequence(0.5, 0.99)), 'other')
    assert.throws(() => new BookTable<string>(1).random(sequence(0, 0)))
  })

  it('draws each bucket in use as often as another, however full', () => {
    const random = new Random('fair')
    const table = new BookTable<string>(256)
    for (let place = 0; place < 64; place++) table.put(17, place, 'crowd')
    table.put(99, 30, 'one')
    let ones = 0
    for (let draw = 0; draw < 10_000; draw++) if (table.random(() => random.fraction()) === 'one') ones++
    // Four standard deviations are 200.
    assert.ok(Math.abs(ones - 5_000) < 200, `${ones} of 10,000`)
  })
})
