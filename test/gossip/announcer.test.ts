/** When own announcements leave, and what is in them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ITEMS_MAX } from '../../src/gossip/announcement.ts'
import { Announcer } from '../../src/gossip/announcer.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { itemOf } from './asks-script.ts'

const namesIn = (items: ReturnType<Announcer['take']>): string | undefined =>
  items?.map(({ key }) => key.replace(/-+$/, '')).join(' ')

function add(announcer: Announcer, names: string, nowMs: number): void {
  for (const name of names.split(' ')) announcer.add(itemOf(name), nowMs)
  announcer.check()
}

describe('an announcer', () => {
  it('waits for nothing while it has nothing', () => {
    const announcer = new Announcer()
    assert.equal(announcer.dueAtMs, undefined)
    assert.equal(announcer.take(1_000), undefined)
  })

  it('gathers for 4 ms from the first item on, oldest first', () => {
    const announcer = new Announcer()
    add(announcer, 'c a', 100)
    add(announcer, 'b', 103)
    assert.equal(announcer.dueAtMs, 104)
    assert.equal(announcer.take(103.9), undefined)
    assert.equal(namesIn(announcer.take(104)), 'c a b')
    assert.equal(announcer.dueAtMs, undefined)
    assert.equal(announcer.take(104), undefined)
  })

  it('pauses for 20 ms after an announcement', () => {
    const announcer = new Announcer()
    add(announcer, 'a', 0)
    announcer.take(5)
    add(announcer, 'b', 6)
    assert.equal(announcer.dueAtMs, 25)
    add(announcer, 'c', 24)
    assert.equal(announcer.take(24), undefined)
    assert.equal(namesIn(announcer.take(25)), 'b c')
    add(announcer, 'd', 60)
    assert.equal(announcer.dueAtMs, 64)
  })

  it('pauses for 2 ms more for each announcement that was heard since the last one, up to 200 ms', () => {
    const pauseAfter = (announcer: Announcer, heard: number, nowMs: number): number | undefined => {
      for (let count = 0; count < heard; count++) announcer.hear()
      add(announcer, 'a', nowMs - 4)
      announcer.take(nowMs)
      add(announcer, 'b', nowMs + 1)
      const dueAtMs = announcer.dueAtMs
      announcer.take(nowMs + 1_000)
      return dueAtMs === undefined ? undefined : dueAtMs - nowMs
    }
    const announcer = new Announcer()
    assert.equal(pauseAfter(announcer, 30, 1_000), 80)
    assert.equal(pauseAfter(announcer, 0, 3_000), 20, 'what was heard counts once')
    assert.equal(pauseAfter(announcer, 5_000, 5_000), 200)
  })

  it('takes an id that waits once, and again when it has left', () => {
    const announcer = new Announcer()
    add(announcer, 'a b a', 0)
    assert.equal(namesIn(announcer.take(4)), 'a b')
    add(announcer, 'a', 30)
    assert.equal(namesIn(announcer.take(34)), 'a')
  })

  it('is due at once when it is full, and does not pause after that', () => {
    const announcer = new Announcer()
    const names = Array.from({ length: ITEMS_MAX }, (_, index) => `${index}`).join(' ')
    add(announcer, 'a', 0)
    announcer.take(4)
    add(announcer, names, 5)
    assert.equal(announcer.dueAtMs, 5)
    assert.equal(namesIn(announcer.take(5)), names)
    add(announcer, 'b', 6)
    assert.equal(announcer.dueAtMs, 10)
  })

  it('loses nothing, keeps the order, and is never late or early', () => {
    const event = fc.record({
      waitMs: fc.constantFrom(0, 0, 1, 3, 7, 30),
      count: fc.constantFrom(0, 1, 2, 50, 300),
    })
    forRandomEvents(event, { runs: 100, most: 60 }, events => {
      const announcer = new Announcer()
      const added: string[] = []
      const left: string[] = []
      const take = (nowMs: number): void => {
        for (let items = announcer.take(nowMs); items !== undefined; items = announcer.take(nowMs)) {
          assert.ok(items.length > 0 && items.length <= ITEMS_MAX)
          left.push(...items.map(({ key }) => key))
        }
        assert.ok(announcer.dueAtMs === undefined || announcer.dueAtMs > nowMs)
      }
      let nowMs = 0
      for (const { waitMs, count } of events) {
        nowMs += waitMs
        take(nowMs)
        for (let index = 0; index < count; index++) {
          const item = itemOf(`${added.length}`)
          added.push(item.key)
          announcer.add(item, nowMs)
          announcer.check()
          assert.ok((announcer.dueAtMs ?? 0) <= nowMs + 20)
          // A full one is taken before more is added.
          take(nowMs)
        }
      }
      take(nowMs + 20)
      assert.deepEqual(left, added)
    })
  })
})
