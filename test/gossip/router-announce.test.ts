/** What the router announces, asks for and gives away: messages beside gossip, over the wire. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HandlerResult } from '../../src/core/upper.ts'
import { encodeAskFrame } from '../../src/gossip/ask-frame.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { ANNOUNCE, keyOf, setUpFamily } from './router-family.ts'
import { SlowHandler, TOPIC } from './router-setup.ts'

describe('an accept that gossip did not see', () => {
  it('of a held message is announced by us', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('p', 'c<p')
    world.receive('c<p', 'P')
    world.receive('p', 'Q')
    assert.deepEqual(world.announced(), ['c<p'])
    assert.deepEqual(world.announced(), [])
  })

  it('that came late is announced by us', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpFamily({ limits: { mode: 'ask' }, handler: slow.handle })
    world.name('m', 'n')
    world.receive('m')
    world.clock.advance(1_000)
    assert.deepEqual(world.announced(), [])
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual([world.announced(), world.told], [['m'], ['accept m handler late']])
    world.receive('n')
    world.clock.advance(1_000)
    slow.asked[1]?.answer('reject')
    await settleMicrotasks()
    assert.deepEqual(world.announced(), [])
  })

  it('is offered to those who may lack it, where nothing is announced', () => {
    const world = setUpFamily()
    world.name('p', 'c<p')
    world.connect('Q')
    world.receive('c<p', 'P')
    world.receive('p', 'P')
    assert.deepEqual(world.wired('Q'), ['offer c<p'])
  })

  it('of what was accepted in time is not announced by us', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.receive('p')
    assert.deepEqual(world.announced(), [])
  })
})

describe('an announced message', () => {
  it('is asked for, judged, and its announcement goes on', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('m')
    world.connect('P')
    world.announce('P', 'm')
    assert.deepEqual([world.wired('P'), world.verdicts()], [['ask m'], []])
    world.give('P', 'm')
    assert.deepEqual([world.told, world.verdicts()], [['accept m handler'], ['accept P']])
    assert.deepEqual([world.announced(), world.pubsub.unsettled], [[], []])
  })

  it('that waits for others does not go on, and is announced by us when it is accepted', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('c<p', 'p')
    world.connect('P')
    world.announce('P', 'c<p')
    world.wired('P')
    world.give('P', 'c<p')
    assert.deepEqual([world.verdicts(), world.wired('P')], [['ignore P'], ['ask p']])
    world.give('P', 'p')
    assert.deepEqual(world.told, ['ignore c<p hold', 'accept p handler', 'accept c<p handler'])
    assert.deepEqual(world.announced(), ['p', 'c<p'])
  })

  it('is given to those who ask, and lacked when it is not there', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('m', 'n')
    for (const peer of ['P', 'Q']) world.connect(peer)
    world.receive('m', 'P')
    world.wired('Q')
    world.channel.deliver('Q', encodeAskFrame(TOPIC, { ask: [keyOf('m'), keyOf('n')] }))
    assert.deepEqual(world.wired('Q').toSorted(), ['lack n', 'payload m'])
  })

  it('has an announcement that can be read, or it costs its sender', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.router.receive(world.pubsub.message(ANNOUNCE, Uint8Array.of(0xff), 'P'))
    assert.deepEqual(world.verdicts(), ['reject P'])
    assert.match(world.told[0] ?? '', /^offence P ask-malformed tx\/announce: /)
  })

  it('of our own is announced by us, and given to those who ask', async () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('m')
    world.pubsub.neighbours = ['P']
    world.connect('P')
    assert.equal((await world.propagate('m')).recipients, 1)
    assert.deepEqual(world.announced(), ['m'])
    world.channel.deliver('P', encodeAskFrame(TOPIC, { ask: [keyOf('m')] }))
    assert.deepEqual(world.wired('P'), ['payload m'])
  })

  it('is asked of who passed its announcement on, when the first one is silent', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.name('m')
    for (const peer of ['P', 'Q']) world.connect(peer)
    const announcement = world.announce('P', 'm')
    world.router.spread.echo(announcement.ticket, 'Q')
    assert.deepEqual([world.wired('P'), world.wired('Q')], [['ask m'], []])
    world.clock.advance(600)
    assert.deepEqual(world.wired('Q'), ['ask m'])
    world.give('Q', 'm')
    assert.deepEqual(world.verdicts(), ['accept P'])
    world.router.spread.echo('no such ticket', 'Q')
  })

  it('that does not come in time has an announcement that does not go on', () => {
    const world = setUpFamily({ limits: { mode: 'ask', verdictTimeoutMs: 1_000 } })
    world.connect('P')
    world.announce('P', 'm')
    world.clock.advance(1_050)
    assert.deepEqual(world.verdicts(), ['ignore P'])
  })

  it('leaves nothing unsettled when its topic is left', () => {
    const world = setUpFamily({ limits: { mode: 'ask' } })
    world.connect('P')
    world.announce('P', 'm')
    world.router.unsubscribe(TOPIC)
    assert.deepEqual(
      [world.verdicts(), world.pubsub.unsettled, world.pubsub.topics.size],
      [['ignore P'], [], 0],
    )
  })
})
