/** The asking side under a flood of announcements: what it keeps is bounded, and others do not suffer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AnnouncedItem } from '../../src/gossip/announcement.ts'
import { Asks, type AsksAction } from '../../src/gossip/asks.ts'
import { itemOf } from './asks-script.ts'

const SETTLE_MS = 3_000
const SHARE = 32_768
const ASKED_MAX = 16_384

const newAsks = (): Asks => new Asks({ maxPayloadBytes: 100, settleMs: SETTLE_MS, standingOf: () => 'new' })

const itemsOf = (name: string, count: number): AnnouncedItem[] =>
  Array.from({ length: count }, (_, index) => itemOf(`${name}${index}`))

const settledIn = (actions: readonly AsksAction[]): number =>
  actions.filter(({ type }) => type === 'settle').length

const askedIn = (actions: readonly AsksAction[]): Record<string, number> =>
  Object.fromEntries(
    actions.flatMap(action => (action.type === 'ask' ? [[action.peer, action.keys.length]] : [])),
  )

describe('a flood of announcements without payloads', () => {
  it('fills the share of its peer, and costs that peer its good name; others are asked as before', () => {
    const asks = newAsks()
    let settled = 0
    for (let count = 0; count < 1_000; count++) {
      const items = itemsOf(`${count}.`, 256)
      settled += settledIn(
        asks.handle({ type: 'announced', from: 'evil', items, ticket: `${count}` }, count / 10),
      )
    }
    assert.equal(asks.itemCount, SHARE)
    assert.equal(settled, 1_000 - SHARE / 256)
    assert.equal(asks.counts.overflow, 1_000 * 256 - SHARE)
    asks.check()

    const honest = asks.handle(
      { type: 'announced', from: 'good', items: itemsOf('good', 256), ticket: 'good' },
      101,
    )
    assert.deepEqual(askedIn(honest), { good: 256 })

    const blamed = asks.handle({ type: 'tick' }, 600)
    assert.deepEqual(
      blamed.flatMap(action => (action.type === 'offence' ? [action.peer] : [])),
      ['evil'],
    )
    settled += settledIn(asks.handle({ type: 'tick' }, SETTLE_MS + 100))
    assert.equal(settled, 1_000)

    asks.handle({ type: 'gone', peer: 'evil' }, SETTLE_MS + 200)
    asks.check()
    assert.deepEqual([asks.itemCount, asks.peerCount], [256, 1])
  })

  it('of the same items fills it as well', () => {
    const asks = newAsks()
    const items = itemsOf('', 256)
    let settled = 0
    for (let count = 0; count < 10_000; count++) {
      settled += settledIn(asks.handle({ type: 'announced', from: 'evil', items, ticket: `${count}` }, 0))
    }
    asks.check()
    assert.deepEqual([settled, asks.itemCount], [10_000 - SHARE / 256, 256])
    const good = asks.handle({ type: 'announced', from: 'good', items, ticket: 'good' }, 1)
    assert.deepEqual(good, [])
    for (const { key, id } of items) {
      asks.handle({ type: 'payload', from: 'evil', key, id, payload: new Uint8Array(10) }, 2)
      const actions = asks.handle({ type: 'settled', key, sizeBytes: 10, verdict: 'accept' }, 2)
      settled += settledIn(actions)
    }
    assert.equal(settled, 10_001)
    assert.deepEqual([asks.itemCount, asks.counts.answered], [0, 256])
    asks.check()
  })

  it('of many peers is bounded, too', () => {
    const asks = newAsks()
    for (let peer = 0; peer < 5; peer++) {
      asks.handle(
        { type: 'announced', from: `${peer}`, items: itemsOf(`${peer}.`, SHARE), ticket: undefined },
        0,
      )
    }
    assert.equal(asks.itemCount, 131_072)
    asks.check()
  })
})

describe('more than may be asked of one peer at once', () => {
  const items = itemsOf('', 20_000)
  const announce = (asks: Asks, from: string): AsksAction[] =>
    asks.handle({ type: 'announced', from, items, ticket: undefined }, 0)

  it('waits for room', () => {
    const asks = newAsks()
    assert.deepEqual(askedIn(announce(asks, 'p')), { p: ASKED_MAX })
    assert.deepEqual(askedIn(asks.handle({ type: 'tick' }, 10)), {})
    for (const { key, id } of items.slice(0, 100)) {
      asks.handle({ type: 'payload', from: 'p', key, id, payload: new Uint8Array(10) }, 20)
    }
    asks.check()
    const [ask] = asks.handle({ type: 'tick' }, 30)
    assert.deepEqual(ask, {
      type: 'ask',
      peer: 'p',
      keys: items.slice(ASKED_MAX, ASKED_MAX + 100).map(({ key }) => key),
    })
    asks.check()
  })

  it('is asked of another that has room', () => {
    const asks = newAsks()
    announce(asks, 'p')
    assert.deepEqual(askedIn(asks.handle({ type: 'echoed', from: 'q', items }, 1)), { q: 20_000 - ASKED_MAX })
    asks.check()
  })

  it('is given up when the peer lacks it or goes', () => {
    const asks = newAsks()
    announce(asks, 'p')
    const { key } = items.at(-1) ?? itemOf('')
    asks.handle({ type: 'lacked', from: 'p', keys: [key] }, 1)
    assert.equal(asks.itemCount, 19_999)
    asks.handle({ type: 'gone', peer: 'p' }, 2)
    asks.check()
    assert.deepEqual([asks.itemCount, asks.peerCount], [0, 0])
  })
})

describe('a peer', () => {
  it('that nobody says is gone is forgotten when it is idle for a minute, not before', () => {
    const asks = newAsks()
    const item = itemOf('a')
    asks.handle({ type: 'announced', from: 'p', items: [item], ticket: undefined }, 0)
    asks.handle({ type: 'lacked', from: 'p', keys: [item.key] }, 1)
    asks.handle({ type: 'tick' }, 59_999)
    assert.equal(asks.peerCount, 1)
    asks.handle({ type: 'tick' }, 60_000)
    assert.equal(asks.peerCount, 0)
  })
})
