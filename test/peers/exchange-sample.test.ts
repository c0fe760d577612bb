import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SAMPLE_MIN, Sample } from '../../src/peers/exchange-sample.ts'
import { Book, DAY_MS, manyReached, reachedAt, WALL_MS } from './exchange-setup.ts'

const at = (sample: Sample, nowMs: number): string[] => {
  const told = sample.entries(nowMs, WALL_MS + nowMs).map(({ endpoint }) => endpoint)
  sample.check()
  return told
}

describe('the sample', () => {
  const sizes: [reached: number, told: number][] = [
    [0, 0],
    [1, 1],
    [31, 31],
    [32, 32],
    [33, 32],
    [139, 32],
    [140, 32],
    [144, 33],
    [1_000, 230],
    [1_086, 249],
    [1_087, 250],
    [20_000, 250],
  ]
  for (const [reached, told] of sizes) {
    it(`of ${reached} reached endpoints holds ${told}`, () => {
      const book = new Book(manyReached(reached))
      const sample = at(new Sample(book), 0)
      assert.equal(sample.length, told)
      const known = new Set(book.entries.map(({ endpoint }) => endpoint))
      assert.ok(sample.every(endpoint => known.delete(endpoint)))
    })
  }

  it('is another one on another node, and does not favour any endpoint', () => {
    const counts = new Map<string, number>()
    const entries = manyReached(320)
    for (let node = 0; node < 400; node++) {
      const sample = new Sample(new Book(entries, 'all', `node ${node}`))
      for (const endpoint of at(sample, 0)) counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1)
    }
    // Each is in a sample of 73 of 320 with p = 0.228, so in 91 of 400 with a deviation of 8.4; five of these.
    assert.equal(counts.size, 320)
    for (const [endpoint, count] of counts) assert.ok(Math.abs(count - 91) < 42, `${endpoint} in ${count}`)
  })

  it('stays for a day, in one order, whatever is reached meanwhile', () => {
    const book = new Book(manyReached(500))
    const sample = new Sample(book)
    const first = at(sample, 0)
    book.entries = manyReached(999).toReversed()
    for (const nowMs of [1, 10_000, 3_600_000, DAY_MS - 10_000]) assert.deepEqual(at(sample, nowMs), first)
    const next = at(sample, DAY_MS)
    assert.notDeepEqual(next, first)
    assert.equal(next.length, 229)
  })

  it('is drawn anew when twice as many have been reached', () => {
    const book = new Book(manyReached(100))
    const sample = new Sample(book)
    const first = at(sample, 0)
    book.entries = manyReached(199)
    assert.deepEqual(at(sample, 3_600_000), first)
    book.entries = manyReached(200)
    const second = at(sample, 3_610_000)
    assert.equal(second.length, 46)
    book.entries = manyReached(399)
    assert.deepEqual(at(sample, 3_620_000), second)
  })

  it('of a young network is drawn anew every ten seconds, and the book is looked through no more often', () => {
    const book = new Book()
    const sample = new Sample(book)
    assert.equal(at(sample, 0).length, 0)
    book.entries = manyReached(5)
    assert.equal(at(sample, 9_999).length, 0)
    assert.equal(book.looks, 1)
    assert.equal(at(sample, 10_000).length, 5)
    book.entries = manyReached(6)
    assert.equal(at(sample, 20_000).length, 6)
    book.entries = manyReached(SAMPLE_MIN)
    const grown = at(sample, 30_000)
    book.entries = manyReached(SAMPLE_MIN + 1)
    assert.deepEqual(at(sample, 40_000), grown)
    for (let nowMs = 40_000; nowMs < 50_000; nowMs += 10) at(sample, nowMs)
    assert.equal(book.looks, 5)
  })

  it('leaves out who was reached more than thirty days ago', () => {
    const entries = [
      reachedAt('60.0.0.1:9000', 'A', WALL_MS - 30 * DAY_MS),
      reachedAt('61.0.0.1:9000', 'B', WALL_MS - 30 * DAY_MS - 1),
    ]
    assert.deepEqual(at(new Sample(new Book(entries)), 0), ['60.0.0.1:9000'])
  })

  it('leaves out who is banned, at once, and does not put others in their place', () => {
    const book = new Book(manyReached(100))
    const sample = new Sample(book)
    const first = at(sample, 0)
    const [banned = ''] = first
    book.banned.add(banned)
    assert.deepEqual(at(sample, 1), first.slice(1))
    book.banned.clear()
    assert.deepEqual(at(sample, 2), first)
    for (const { endpoint } of book.entries) book.banned.add(endpoint)
    assert.deepEqual(at(new Sample(book), 0), [])
  })

  it('gives no place to those that are banned when it is drawn', () => {
    const book = new Book(manyReached(200))
    for (const { endpoint } of book.entries.slice(20)) book.banned.add(endpoint)
    assert.equal(at(new Sample(book), 0).length, 20)
  })

  const carried: { endpoint: string; all: boolean; routable: boolean }[] = [
    { endpoint: '8.8.8.8:9000', all: true, routable: true },
    { endpoint: '[2600::1]:9000', all: true, routable: true },
    { endpoint: '127.0.0.1:9000', all: false, routable: true },
    { endpoint: '[::1]:9000', all: false, routable: true },
    { endpoint: '10.1.2.3:9000', all: false, routable: true },
    { endpoint: '192.168.1.1:9000', all: false, routable: true },
    { endpoint: '172.20.0.2:9000', all: false, routable: true },
    { endpoint: '100.64.0.1:9000', all: false, routable: true },
    { endpoint: '169.254.1.1:9000', all: false, routable: true },
    { endpoint: '[fd00::1]:9000', all: false, routable: true },
    { endpoint: '0.0.0.0:9000', all: false, routable: false },
    { endpoint: '[::]:9000', all: false, routable: false },
    { endpoint: '224.0.0.1:9000', all: false, routable: false },
    { endpoint: '255.255.255.255:9000', all: false, routable: false },
    { endpoint: '[ff02::1]:9000', all: false, routable: false },
    { endpoint: '240.0.0.1:9000', all: false, routable: false },
  ]
  for (const { endpoint, ...rules } of carried) {
    for (const groupRules of ['all', 'routable'] as const) {
      it(`${rules[groupRules] ? 'holds' : 'leaves out'} ${endpoint} with groupRules ${groupRules}`, () => {
        const book = new Book([reachedAt(endpoint, 'A')], groupRules)
        assert.deepEqual(at(new Sample(book), 0), rules[groupRules] ? [endpoint] : [])
      })
    }
  }
})
