import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressOf } from '../../src/core/endpoint.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { denied, OutreachStage, type OutreachWorld, UNREACHABLE } from './outreach-setup.ts'

const E = '60.1.0.1:9000'
const F = '60.2.0.1:9000'

/** The only endpoint of the book is being dialled. */
async function dialling(world: OutreachWorld = {}): Promise<OutreachStage> {
  const stage = new OutreachStage({ known: [E], ...world })
  await stage.tick()
  assert.deepEqual(stage.dialled, [addressOf(E)])
  return stage
}

/** What happens to a dial of `E`. */
type Happening = (stage: OutreachStage) => void

const connected =
  (peer = 'P'): Happening =>
  stage =>
    void stage.connect(peer, E)
const greeted: Happening = stage => stage.greet('P')
const wanted: Happening = stage => stage.greet('P', { isManual: true })
const lost: Happening = stage => stage.lose('P')
const useless: Happening = stage => stage.leave('P', 'plain')
const reported =
  (peer = 'P'): Happening =>
  stage =>
    stage.dialOf(E).resolve(peer)
const failed: Happening = stage => stage.dialOf(E).fail(UNREACHABLE)
const refused =
  (...args: Parameters<typeof denied>): Happening =>
  stage =>
    stage.dialOf(E).fail(denied(...args))

describe('a dial is answered once', () => {
  const cases: { id: string; happenings: Happening[]; result: string; isKept?: boolean }[] = [
    { id: 'when nobody is there', happenings: [failed], result: 'failed' },
    { id: 'when it is banned', happenings: [refused('banned', 'P')], result: 'refused' },
    { id: 'when it is ourselves', happenings: [refused('self', 'self')], result: 'refused' },
    { id: 'when its peer is connected already', happenings: [refused('duplicate', 'P')], result: 'refused' },
    { id: 'when it ends at an older connection', happenings: [reported()], result: 'refused' },
    {
      id: 'when it is reported before its connection',
      happenings: [reported(), connected(), greeted, lost],
      result: 'refused',
    },
    {
      id: 'with the handshake, the report coming first',
      happenings: [connected(), reported(), greeted],
      result: 'greeted',
      isKept: true,
    },
    {
      id: 'with the handshake, the report coming last',
      happenings: [connected(), greeted, reported()],
      result: 'greeted',
      isKept: true,
    },
    {
      id: 'with the handshake, also when it is said to have failed afterwards',
      happenings: [connected(), greeted, failed],
      result: 'greeted',
      isKept: true,
    },
    {
      id: 'when its connection ends before the handshake',
      happenings: [connected(), reported(), lost],
      result: 'refused',
    },
    {
      id: 'when its connection has ended before the report',
      happenings: [connected(), lost, reported()],
      result: 'refused',
    },
    {
      id: 'when its connection has ended, and it is said to have failed',
      happenings: [connected(), lost, failed],
      result: 'refused',
    },
    {
      id: 'when its peer is of no use, and then leaves',
      happenings: [connected(), reported(), useless, lost],
      result: 'refused',
    },
    {
      id: 'when its peer turns out to be one that the user wants',
      happenings: [connected(), reported(), wanted, lost],
      result: 'refused',
    },
    {
      id: 'when it has failed, whatever is connected',
      happenings: [connected(), failed, greeted, lost],
      result: 'failed',
    },
    {
      id: 'when it is reported with another peer than the one that is connected there',
      happenings: [connected('Q'), reported('P')],
      result: 'refused',
    },
  ]
  for (const { id, happenings, result, isKept = false } of cases) {
    it(`${id}: ${result}`, async () => {
      const stage = await dialling()
      stage.unwelcome = () => true
      for (const happening of happenings) {
        happening(stage)
        await settleMicrotasks()
        stage.outreach.check()
      }
      assert.deepEqual(stage.results(), { [`outbound ${result}`]: 1 })
      assert.deepEqual(stage.heardResults(), stage.results())
      const { established, dialling: open } = stage.outreach.counts
      assert.deepEqual([established, open], [isKept ? 1 : 0, 0])
      assert.equal(stage.outreach.roleOf('P'), isKept ? 'outbound' : undefined)
    })
  }

  it('the next dial of the same endpoint is not answered by what is left of the last', async () => {
    const stage = await dialling()
    const first = stage.dialOf(E)
    stage.connect('P', E)
    stage.lose('P')
    await stage.pass(20_000)
    assert.equal(stage.dialled.length, 2)
    first.resolve('P')
    await settleMicrotasks()
    assert.deepEqual([stage.results(), stage.outreach.counts.dialling], [{ 'outbound refused': 1 }, 1])
    stage.connect('P', E)
    stage.greet('P')
    assert.deepEqual(stage.results(), { 'outbound greeted': 1, 'outbound refused': 1 })
  })
})

describe('a dial of ours', () => {
  it('is known as such until it is answered', async () => {
    const stage = await dialling()
    const member = stage.connect('P', E)
    assert.ok(member !== undefined)
    assert.equal(stage.outreach.isOurDial(member), true)
    stage.greet('P')
    assert.deepEqual([stage.outreach.isOurDial(member), stage.outreach.roleOf('P')], [false, 'outbound'])
  })

  it('is not what somebody else has dialled, or who has dialled us', async () => {
    const stage = await dialling()
    const [other, inbound] = [stage.connect('Q', F), stage.connect('R', '60.3.0.1:777', 'inbound')]
    assert.ok(other !== undefined && inbound !== undefined)
    assert.deepEqual([stage.outreach.isOurDial(other), stage.outreach.isOurDial(inbound)], [false, false])
  })

  it('that is answered with ourselves takes the endpoint out of the book', async () => {
    const stage = await dialling()
    stage.dialOf(E).fail(denied('self', 'self'))
    await settleMicrotasks()
    assert.equal(stage.book.has(E), false)
  })

  it('goes to whoever is at an endpoint; an anchor is a certain peer', async () => {
    const stage = new OutreachStage({
      options: { anchors: 1 },
      anchors: [{ endpoint: E, peer: 'A', trials: 0 }],
      known: [E, F],
    })
    await stage.tick()
    assert.deepEqual(stage.dialled.toSorted(), [addressOf(E, 'A'), addressOf(F)])
    stage.connect('A', E)
    stage.greet('A')
    assert.equal(stage.outreach.roleOf('A'), 'anchor')
    assert.deepEqual(stage.results(), { 'anchor greeted': 1 })
  })

  it('to an anchor begins when the disk has hung for five seconds', async () => {
    const stage = new OutreachStage({
      options: { anchors: 1 },
      anchors: [{ endpoint: E, peer: 'A', trials: 0 }],
    })
    stage.saving = () => new Promise(() => {})
    await stage.pass(5_000)
    assert.deepEqual(stage.dialled, [])
    await stage.pass(100)
    assert.deepEqual([stage.dialled, stage.clock.timers], [[addressOf(E, 'A')], 0])
  })

  it('is counted by where its address came from', async () => {
    const stage = await dialling()
    stage.dialOf(E).fail(UNREACHABLE)
    await settleMicrotasks()
    await stage.pass(20_000)
    assert.equal(stage.dialled.length, 2)
    stage.book.remove(E)
    stage.dialOf(E).fail(UNREACHABLE)
    await settleMicrotasks()
    assert.deepEqual(stage.metrics.read(), {
      'dials{purpose=outbound,result=failed,source=exchange}': 1,
      'dials{purpose=outbound,result=failed,source=forgotten}': 1,
    })
  })

  it('to an anchor begins when its trial is on the disk, and not before', async () => {
    const stage = new OutreachStage({
      options: { anchors: 1 },
      anchors: [{ endpoint: E, peer: 'A', trials: 1 }],
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    stage.saving = () => promise
    await stage.tick()
    assert.deepEqual([stage.saved, stage.dialled], [[[{ endpoint: E, peer: 'A', trials: 2 }]], []])
    await stage.pass(1_000)
    assert.deepEqual(stage.dialled, [])
    resolve()
    await settleMicrotasks()
    assert.deepEqual(stage.dialled, [addressOf(E, 'A')])
  })
})

describe('what the machine decides is done', () => {
  it('a feeler is dropped as soon as it has shaken hands', async () => {
    const stage = new OutreachStage({ options: { target: 1, feelerPeriodMs: 1_000 }, known: [E, F] })
    await stage.tick()
    const [first, second] = stage.dialled[0] === addressOf(E) ? [E, F] : [F, E]
    stage.connect('P', first)
    stage.greet('P')
    await stage.pass(1_000)
    assert.equal(stage.dialled.length, 2)
    stage.connect('Q', second)
    assert.deepEqual(stage.drops, [])
    stage.greet('Q')
    assert.deepEqual([stage.drops, stage.outreach.roleOf('Q')], [['Q feeler'], 'feeler'])
    stage.lose('Q')
    assert.deepEqual(stage.results(), { 'feeler greeted': 1, 'outbound greeted': 1 })
    assert.equal(stage.book.get(second)?.lastSuccessMs, stage.clock.wallMs())
  })

  it('other sources are sought when the book has nothing', async () => {
    const stage = new OutreachStage()
    await stage.tick()
    assert.equal(stage.seeks, 1)
  })

  it('a place that is free again is taken by another', async () => {
    const stage = new OutreachStage({ options: { target: 1 }, known: [E, F] })
    await stage.tick()
    const [first, second] = stage.dialled[0] === addressOf(E) ? [E, F] : [F, E]
    stage.connect('P', first)
    stage.greet('P')
    await stage.tick()
    assert.equal(stage.dialled.length, 1)
    stage.lose('P')
    assert.deepEqual(stage.dialled.slice(1), [addressOf(second)])
    assert.equal(stage.outreach.counts.established, 0)
  })

  it('the place of a peer that the user begins to want is taken by another', async () => {
    const stage = new OutreachStage({ options: { target: 1 }, known: [E, F] })
    await stage.tick()
    const [first, second] = stage.dialled[0] === addressOf(E) ? [E, F] : [F, E]
    stage.connect('P', first)
    stage.greet('P')
    stage.outreach.manual('P')
    assert.deepEqual([stage.outreach.roleOf('P'), stage.outreach.counts.established], [undefined, 0])
    await stage.tick()
    assert.deepEqual(stage.dialled.slice(1), [addressOf(second)])
    stage.connect('Q', second)
    stage.greet('Q')
    stage.lose('P')
    assert.deepEqual([stage.outreach.counts.established, stage.drops], [1, []])
  })

  it('nobody is dialled who is not welcome', async () => {
    const stage = new OutreachStage({ known: [E, F] })
    stage.unwelcome = endpoint => endpoint === E
    await stage.pass(5_000)
    assert.deepEqual(stage.dialled, [addressOf(F)])
  })

  it('nobody is dialled when there are no places', async () => {
    const stage = new OutreachStage({ options: { target: 0 }, known: [E, F] })
    await stage.pass(5_000)
    assert.deepEqual([stage.dialled, stage.seeks], [[], 0])
  })
})

describe('after a stop', () => {
  it('dials under way are given up and not counted, and none begins', async () => {
    const stage = await dialling()
    const { seeks } = stage
    await stage.outreach.stop()
    assert.equal(stage.dialOf(E).signal?.aborted, true)
    await settleMicrotasks()
    stage.outreach.learn([F], { source: 'dns', group: 'seed', lastHeardMs: stage.clock.wallMs() })
    await stage.pass(60_000)
    assert.deepEqual([stage.dialled.length, stage.results(), stage.seeks], [1, {}, seeks])
  })

  it('anchors that are connected have their trials forgiven on the disk, and none whose list is on its way is dialled', async () => {
    const stage = new OutreachStage({
      options: { anchors: 2, target: 2 },
      anchors: [
        { endpoint: E, peer: 'A', trials: 0 },
        { endpoint: F, peer: 'B', trials: 0 },
      ],
    })
    stage.unwelcome = endpoint => endpoint === F
    await stage.tick()
    stage.connect('A', E)
    stage.greet('A')
    const { promise, resolve } = Promise.withResolvers<void>()
    stage.saving = () => promise
    stage.unwelcome = () => false
    await stage.tick()
    const trials = () => stage.saved.at(-1)?.map(anchor => anchor.trials)
    assert.deepEqual(trials(), [1, 1])
    const stopped = stage.outreach.stop()
    assert.deepEqual(trials(), [0, 1])
    resolve()
    await stopped
    await stage.pass(10_000)
    assert.deepEqual([stage.dialled, stage.saved.length], [[addressOf(E, 'A')], 3])
  })

  it('the disk is waited for, but not for ever', async () => {
    const stage = new OutreachStage({
      options: { anchors: 1 },
      anchors: [{ endpoint: E, peer: 'A', trials: 0 }],
    })
    await stage.tick()
    stage.connect('A', E)
    stage.greet('A')
    stage.saving = () => new Promise(() => {})
    let isStopped = false
    void stage.outreach.stop().then(() => {
      isStopped = true
    })
    await stage.pass(4_900)
    assert.equal(isStopped, false)
    await stage.pass(100)
    assert.deepEqual([isStopped, stage.clock.timers], [true, 0])
  })
})
