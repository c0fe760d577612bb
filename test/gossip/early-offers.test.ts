/** What came before it could be asked for: kept for each channel, bounded, and only of peers that are there. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Announcement } from '../../src/gossip/announcement.ts'
import { EarlyOffers } from '../../src/gossip/early-offers.ts'

const ITEMS: Announcement = { type: 'items', items: [] }
const SWARM = { type: 'swarm' } as Announcement

describe('early offers', () => {
  it('are kept until the channel that they need is open, and not those of the other one', () => {
    const offers = new EarlyOffers()
    offers.add('a')
    assert.ok(offers.keep('a', 't', ITEMS))
    assert.ok(offers.keep('a', 'u', SWARM))
    assert.deepEqual(offers.open('a', 'items'), [{ topic: 't', content: ITEMS }])
    assert.equal(offers.keep('a', 't', ITEMS), false, 'in time')
    assert.ok(offers.keep('a', 'v', SWARM))
    assert.deepEqual(
      offers.open('a', 'swarm').map(({ topic }) => topic),
      ['u', 'v'],
    )
    assert.equal(offers.count('a'), 0)
  })

  it('are kept again after a channel has closed', () => {
    const offers = new EarlyOffers()
    offers.add('a')
    offers.open('a', 'items')
    offers.close('a', 'items')
    assert.ok(offers.keep('a', 't', ITEMS))
  })

  it('are 48 of a peer at most; the newest is dropped', () => {
    const offers = new EarlyOffers()
    offers.add('a')
    for (let number = 0; number < 60; number++) assert.ok(offers.keep('a', `${number}`, ITEMS))
    assert.equal(offers.count('a'), 48)
    assert.equal(offers.open('a', 'items').at(-1)?.topic, '47')
  })

  it('are forgotten with their peer, and not kept of strangers', () => {
    const offers = new EarlyOffers()
    assert.equal(offers.keep('a', 't', ITEMS), false)
    offers.add('a')
    offers.keep('a', 't', ITEMS)
    offers.remove('a')
    assert.deepEqual(offers.open('a', 'items'), [])
    offers.add('a')
    assert.deepEqual(offers.open('a', 'items'), [])
  })
})
