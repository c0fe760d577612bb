import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { statsPicture } from '../../../src/cli/addr/picture.ts'

const SOURCES = { dns: 2, bootstrap: 0, exchange: 397, hello: 1, dht: 0, manual: 0 }

/** Small books have the same picture, with fewer rows. */
const STATS = {
  newAddresses: 1_234,
  triedAddresses: 5,
  newBuckets: [
    0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 64, 0, 0, 5, 0, 0, 64, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
  ],
  triedBuckets: [0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0],
  bySource: SOURCES,
}

const NARROW = `
tried: reached before, 5 addresses
3 of 16 buckets in use, 0 full
   0  ··▁···▂·
   8  ···▁····

new: only heard of, 1,234 addresses
16 of 30 buckets in use, 3 full
   0  ·▁▂▂▃▃▄▄
   8  ▅▅▆▆██··
  16  ▃··█····
  24  ▁·····

· 0  ▁ 1  ▂ 2–3
▃ 4–7  ▄ 8–15
▅ 16–31  ▆ 32–63
█ 64

source     addresses   share
exchange         397  99.3 %
dns                2   0.5 %
hello              1   0.3 %
bootstrap          0   0.0 %
dht                0   0.0 %
manual             0   0.0 %`

const WIDER = `
tried: reached before, 5 addresses
3 of 16 buckets in use, 0 full
   0  ··▁···▂····▁····

new: only heard of, 1,234 addresses
16 of 30 buckets in use, 3 full
   0  ·▁▂▂▃▃▄▄▅▅▆▆██··
  16  ▃··█····▁·····

· 0  ▁ 1  ▂ 2–3  ▃ 4–7  ▄ 8–15
▅ 16–31  ▆ 32–63  █ 64
`

describe('the picture of the address book', () => {
  it('in 20 columns', () => {
    assert.equal(`\n${statsPicture(STATS, 20, false)}`, NARROW)
  })

  it('in 30 columns', () => {
    assert.equal(`\n${statsPicture(STATS, 30, false).slice(0, WIDER.length - 1)}`, WIDER)
  })

  it('with colours: one for each run of equal buckets, off at the end of a line', () => {
    const lines = statsPicture(STATS, 20, true).split('\n')
    assert.equal(lines[2], '   0  \x1b[90m··\x1b[34m▁\x1b[90m···\x1b[36m▂\x1b[90m·\x1b[0m')
    assert.equal(lines[8], '   8  \x1b[33m▅▅\x1b[31m▆▆\x1b[91m██\x1b[90m··\x1b[0m')
  })

  it('of a book with nothing in it, and of a node that says nothing', () => {
    const empty = { newAddresses: 0, triedAddresses: 0, newBuckets: [], triedBuckets: [], bySource: {} }
    assert.match(statsPicture(empty, 80, false), /^0 of 0 buckets in use, 0 full$/m)
    const zero = statsPicture({ ...empty, newBuckets: [0, 0], bySource: { dns: 0 } }, 80, false)
    assert.match(zero, /^ {3}0 {2}··$/m)
    assert.match(zero, /^dns +0 +–$/m)
  })

  it('has every bucket once, in rows that fit', () => {
    const level = (count: number): string => {
      const bounds = [0, 1, 2, 4, 8, 16, 32, 64]
      return [...'·▁▂▃▄▅▆█'][bounds.findLastIndex(bound => count >= bound)] ?? ''
    }
    const places = fc.integer({ min: 0, max: 64 })
    fc.assert(
      fc.property(
        fc.array(places, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 20, max: 300 }),
        fc.boolean(),
        (buckets, width, isColored) => {
          const stats = { ...STATS, newBuckets: buckets, triedBuckets: [] }
          const text = stripVTControlCharacters(statsPicture(stats, width, isColored))
          const rows = [...text.matchAll(/^ *(\d+) {2}([·▁▂▃▄▅▆█]+)$/gm)]
          assert.equal(rows.map(row => row[2]).join(''), buckets.map(level).join(''))
          let first = 0
          for (const row of rows) {
            assert.equal(Number(row[1]), first)
            assert.ok([...row[0]].length <= width)
            first += [...(row[2] ?? '')].length
          }
          // A row that is not full is the last; another row of the same size would not fit.
          const size = [...(rows[0]?.[2] ?? '')].length
          if (rows.length > 1) assert.ok(size === 128 || 2 * size + 6 > width)
        },
      ),
    )
  })
})
