/** Messages that wait for others: from the handler's answer to what their sender is asked for. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Message } from '../../src/core/types.ts'
import type { HandlerResult } from '../../src/core/upper.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { idOf, setUpFamily } from './router-family.ts'
import { SlowHandler, setUpRouter, TOPIC, textOf } from './router-setup.ts'

describe('a message that waits for others', () => {
  it('is ignored by the network, and judged when they are accepted', () => {
    const world = setUpFamily()
    world.receive('c<p,q', 'P')
    assert.deepEqual([world.verdicts(), world.told], [['ignore P'], ['ignore c<p,q hold']])
    world.receive('p', 'Q')
    assert.deepEqual(world.asked, ['c<p,q', 'p'])
    world.receive('q', 'Q')
    assert.deepEqual(world.told, [
      'ignore c<p,q hold',
      'accept p handler',
      'accept q handler',
      'accept c<p,q handler',
    ])
    assert.deepEqual(world.asked, ['c<p,q', 'p', 'q', 'c<p,q'])
    assert.deepEqual(world.verdicts(), ['ignore P', 'accept Q', 'accept Q'])
    assert.deepEqual([world.pubsub.unsettled, world.warnings()], [[], []])
  })

  it('needs no further copy meanwhile, nor afterwards', () => {
    const world = setUpFamily()
    world.receive('c<p', 'P')
    world.receive('c<p', 'Q')
    world.receive('p', 'Q')
    world.receive('c<p', 'R')
    assert.deepEqual(world.verdicts(), ['ignore P', 'ignore Q', 'accept Q', 'ignore R'])
    assert.equal(world.router.counts(TOPIC)?.received, 2)
    assert.deepEqual(world.asked, ['c<p', 'p', 'c<p'])
  })

  it('releases those that wait for it in turn', () => {
    const world = setUpFamily()
    for (const text of ['d<c<b<a', 'c<b<a', 'b<a']) world.receive(text)
    assert.equal(world.told.length, 3)
    world.receive('a')
    assert.deepEqual(world.told.slice(3), [
      'accept a handler',
      'accept b<a handler',
      'accept c<b<a handler',
      'accept d<c<b<a handler',
    ])
  })

  it('may wait for what we propagate ourselves', async () => {
    const world = setUpFamily()
    world.receive('c<p')
    assert.deepEqual(world.told, ['ignore c<p hold'])
    await world.propagate('p')
    assert.deepEqual(world.told, ['ignore c<p hold', 'accept c<p handler'])
  })

  it('is released at once when they were accepted while the handler thought', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpRouter({
      limits: { concurrency: 2 },
      handler: message => (textOf(message) === 'p' ? 'accept' : slow.handle(message)),
    })
    world.receive('c')
    world.receive('p')
    slow.asked[0]?.answer({ hold: [idOf('p')] })
    await settleMicrotasks()
    assert.equal(slow.asked.length, 2)
    slow.asked[1]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual(world.told, ['accept p handler', 'ignore c hold', 'accept c handler'])
  })

  it('is released by what was accepted and is not kept for others, for want of room or long ago', () => {
    for (const [keepMaxBytes, laterMs] of [
      [0, 0],
      [1_000, 90_000],
    ] as const) {
      let count = 0
      const world = setUpRouter({
        limits: { keepMaxBytes },
        handler: message => (textOf(message) === 'p' || count++ > 0 ? 'accept' : { hold: [idOf('p')] }),
      })
      world.receive('p')
      world.clock.advance(laterMs)
      world.receive('c')
      assert.deepEqual(world.told, ['accept p handler', 'ignore c hold', 'accept c handler'])
    }
  })

  it('is given up when nothing comes in time, and nobody is blamed', () => {
    const world = setUpFamily({ limits: { holdMs: 10_000 } })
    world.receive('c<p')
    world.receive('bad p')
    world.clock.advance(9_999)
    assert.deepEqual(world.warnings(), [])
    world.clock.advance(51)
    assert.match(world.warnings()[0]?.message ?? '', /a held message was given up/)
    world.receive('p')
    assert.deepEqual(world.asked, ['c<p', 'bad p', 'p'])
  })

  it('is judged for good after eight rounds with a handler that wants what it has', () => {
    let rounds = 0
    const world = setUpRouter({
      handler: message => {
        if (textOf(message) === 'p') return 'accept'
        rounds++
        return { hold: [idOf('p')] }
      },
    })
    world.receive('p')
    world.receive('c')
    assert.equal(rounds, 9)
    assert.deepEqual(world.told, [
      'accept p handler',
      ...Array<string>(8).fill('ignore c hold'),
      'ignore c handler',
    ])
    world.receive('c', 'Q')
    assert.equal(rounds, 9)
  })

  it('is forgotten with its topic', () => {
    const world = setUpFamily()
    world.receive('c<p')
    world.router.unsubscribe(TOPIC)
    world.subscribe()
    world.receive('p')
    world.clock.advance(20_000)
    assert.deepEqual([world.asked, world.warnings()], [['c<p', 'p'], []])
  })

  it('is rejected like any other, and blamed on its sender, when it is asked again', () => {
    let isBad = false
    const world = setUpRouter({
      handler: message => {
        if (textOf(message) === 'p') return 'accept'
        if (isBad) return 'reject'
        isBad = true
        return { hold: [idOf('p')] }
      },
    })
    world.receive('c', 'P')
    world.receive('p', 'Q')
    assert.deepEqual(
      world.told.map(line => line.split(' ').slice(0, 3).join(' ')),
      ['ignore c hold', 'accept p handler', 'offence P rejected', 'reject c handler'],
    )
    assert.deepEqual(world.pubsub.unsettled, [])
  })

  it('is not asked for its quick verdict again', () => {
    let quick = 0
    const world = setUpFamily({
      quickVerify: () => {
        quick++
        return 'accept'
      },
    })
    world.receive('c<p', 'P')
    assert.deepEqual([world.verdicts(), world.told], [['accept P'], ['ignore c<p hold']])
    world.receive('p', 'P')
    assert.deepEqual([quick, world.asked], [2, ['c<p', 'p', 'c<p']])
  })
})

describe('with a quick verdict', () => {
  it('a message waits for one that the handler has not judged, though it has left', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const asked: string[] = []
    const world = setUpRouter({
      limits: { concurrency: 4 },
      quickVerify: () => 'accept',
      handler: message => {
        const text = textOf(message)
        asked.push(text)
        if (text === 'p') return slow.handle(message)
        return asked.length > 2 ? 'accept' : { hold: [idOf('p')] }
      },
    })
    world.receive('p')
    world.receive('c')
    assert.deepEqual(asked, ['p', 'c'])
    slow.asked[0]?.answer('accept')
    await settleMicrotasks()
    assert.deepEqual(world.told, ['ignore c hold', 'accept p handler', 'accept c handler'])
  })

  it('a message that has left is not announced by us when it is released', () => {
    const world = setUpFamily({ limits: { mode: 'ask' }, quickVerify: () => 'accept' })
    world.receive('c<p', 'P')
    world.receive('p', 'P')
    assert.deepEqual([world.told.at(-1), world.announced()], ['accept c<p handler', []])
  })

  it('a message whose quick verdict never came does not leave because it was held', async () => {
    const quick = new SlowHandler<boolean>()
    const world = setUpFamily({
      limits: { mode: 'ask' },
      quickVerify: ({ payload }) =>
        Buffer.from(payload ?? []).toString() === 'p' ? true : quick.handle({ payload } as Message),
    })
    world.name('c<p')
    world.receive('c<p', 'P')
    world.clock.advance(1_000)
    assert.deepEqual(world.told, ['ignore c<p hold late'])
    world.receive('p', 'P')
    assert.deepEqual([quick.asked.length, world.told.length, world.announced()], [2, 2, []])
    quick.asked[1]?.answer(true)
    await settleMicrotasks()
    assert.deepEqual([world.told.at(-1), world.announced()], ['accept c<p handler', ['c<p']])
  })
})

describe('what is missing', () => {
  it('is asked for from the peer that sent what needs it', () => {
    const world = setUpFamily()
    world.name('p', 'q')
    for (const peer of ['P', 'Q']) world.connect(peer)
    world.receive('q', 'Q')
    for (const peer of ['P', 'Q']) world.wired(peer)
    world.receive('c<p,q', 'P')
    assert.deepEqual([world.wired('P'), world.wired('Q')], [['ask p'], []])
    world.give('P', 'p')
    assert.deepEqual(world.told, [
      'accept q handler',
      'ignore c<p,q hold',
      'accept p handler',
      'accept c<p,q handler',
    ])
  })

  it('is not asked for while it is judged, held or over', async () => {
    const slow = new SlowHandler<HandlerResult>()
    const world = setUpFamily({
      limits: { concurrency: 4 },
      handler: message => {
        const text = textOf(message)
        if (text === 'judged') return slow.handle(message)
        if (text === 'bad') return 'ignore'
        return { hold: (text.split('<')[1] ?? '').split(',').map(idOf) }
      },
    })
    world.connect('P')
    world.name('judged', 'bad', 'held<x', 'x')
    for (const text of ['judged', 'bad', 'held<x']) world.receive(text, 'P')
    assert.deepEqual(world.wired('P'), ['ask x'])
    world.receive('c<judged,bad', 'P')
    assert.deepEqual(world.wired('P'), [])
  })

  it('is not asked for through a peer that does not speak the protocol', () => {
    const world = setUpFamily()
    world.connect('Q')
    world.receive('c<p', 'P')
    assert.deepEqual(world.channel.sent, [])
  })
})
