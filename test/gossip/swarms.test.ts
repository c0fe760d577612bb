/**
 * The swarms of a node: how fast they are in a network without faults, and single events one by one.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type SwarmFrame, swarmKey } from '../../src/gossip/swarm-frame.ts'
import {
  ALL,
  Alone,
  asksOf,
  blamesOf,
  CHUNK,
  COUNT,
  chunkAt,
  chunksOf,
  EMPTY,
  framesOf,
  gotsOf,
  havesOf,
  KEY,
  lacksOf,
  PAYLOAD,
  typesOf,
} from './swarm-alone.ts'
import { SwarmWorld, type WorldOptions } from './swarm-world.ts'

const LINE = 20_000_000 / 8
const HUNDRED: WorldOptions = {
  nodes: 100,
  degree: 8,
  sizeBytes: 1_000_000,
  chunkBytes: 16_384,
  upBytesPerS: LINE,
  latencyMs: 50,
  seed: 1,
}

describe('a swarm without faults', () => {
  const cases: { id: string; options: WorldOptions; allMs: number; copies: number }[] = [
    { id: '100 nodes, 1 MB, 20 Mbit/s, 50 ms', options: HUNDRED, allMs: 1_500, copies: 1.1 },
    {
      id: '30 nodes, 128 kB in small chunks',
      options: { ...HUNDRED, nodes: 30, sizeBytes: 128_000, chunkBytes: 8_192 },
      allMs: 700,
      copies: 1.75,
    },
    {
      id: '30 nodes, nobody passes on before he has all',
      options: { ...HUNDRED, nodes: 30, opens: 'complete' },
      allMs: 8_000,
      copies: 1.2,
    },
    { id: 'two nodes', options: { ...HUNDRED, nodes: 2, degree: 2 }, allMs: 1_200, copies: 1.1 },
    {
      id: 'one chunk',
      options: { ...HUNDRED, nodes: 30, sizeBytes: 1, chunkBytes: 1_024 },
      allMs: 600,
      copies: Infinity,
    },
  ]
  for (const { id, options, allMs, copies } of cases) {
    it(`reaches all in time, in few copies: ${id}`, () => {
      const world = new SwarmWorld(options)
      const { head, payload } = world.begin(0)
      world.run(30_000)
      const figures = world.figures()
      assert.equal(figures.done, options.nodes)
      assert.ok(figures.all <= allMs, `all after ${figures.all} ms`)
      assert.ok(figures.copies <= copies, `${figures.copies} copies`)
      assert.deepEqual(world.offences, [])
      for (const node of world.nodes) {
        node.check()
        assert.ok(Buffer.compare(node.payloadOf(swarmKey(head)) ?? payload.subarray(1), payload) === 0)
      }
    })
  }
})

describe('the swarms of a node', () => {
  it('push each chunk of a small payload of our own to three neighbours, and no more', () => {
    const peers = ['a', 'b', 'c', 'd']
    const actions = new Alone(peers).begin(undefined, { neighbours: peers })
    assert.deepEqual(chunksOf(actions).toSorted(), [...ALL, ...ALL, ...ALL].toSorted())
    for (const peer of peers) assert.ok(chunksOf(actions, peer).length >= COUNT / 2)
  })

  it('say what they have once it had time to spread, not before', () => {
    const alone = new Alone()
    alone.begin(undefined)
    assert.deepEqual([...framesOf(alone.pass(250)), ...framesOf(alone.handle({ type: 'flush' }))], [])
    alone.pass(200)
    const told = framesOf(alone.handle({ type: 'flush' }))
    assert.deepEqual(
      told.map(({ complete }) => complete),
      [true, true],
    )
  })

  it('answer what was asked for, once in 5 seconds, however often it is asked', () => {
    const alone = new Alone(['a'])
    alone.begin(undefined, { neighbours: [] })
    let sent = 0
    const sentAtMs: number[] = []
    for (let round = 0; round < 3_000; round++) {
      const chunks = [...chunksOf(alone.frame('a', { ask: [3] })), ...chunksOf(alone.pass(5))]
      sent += chunks.length
      if (chunks.length > 0) sentAtMs.push(alone.nowMs)
    }
    assert.equal(sent, sentAtMs.length)
    for (const [at, ms] of sentAtMs.entries()) assert.ok(at === 0 || ms - (sentAtMs[at - 1] ?? 0) >= 5_000)
    assert.ok(sent >= 2)
  })

  it('do not send what the neighbour says that it has', () => {
    const alone = new Alone(['a'])
    alone.begin(undefined, { neighbours: [] })
    assert.deepEqual(chunksOf(alone.frame('a', { have: [3], ask: [3, 4] })), [4])
  })

  it('say what they lack, in one frame, whether open or not, and live on', () => {
    for (const isOpen of [true, false]) {
      const alone = new Alone()
      alone.begin('a', { isOpen })
      const answer = framesOf(alone.frame('b', { ask: [1, 2, 3] })).filter(({ lack }) => lack.length > 0)
      assert.deepEqual(
        answer.map(({ lack }) => lack),
        [[1, 2, 3]],
      )
      alone.handle({ type: 'open', key: KEY })
      assert.deepEqual(chunksOf(alone.pass(100)), [])
    }
  })

  it('give nothing before they are open, but acknowledge; all after', () => {
    const alone = new Alone()
    alone.begin('a', { isOpen: false })
    const early = [...alone.give('a', 0), ...alone.frame('b', { ask: [0] }), ...alone.pass(100)]
    assert.deepEqual(chunksOf(early), [])
    const told = alone.handle({ type: 'flush' })
    assert.deepEqual(framesOf(told, 'a'), [{ ...EMPTY, got: [0] }])
    assert.deepEqual([havesOf(told), gotsOf(told, 'b')], [[], []])
    assert.deepEqual(chunksOf(alone.handle({ type: 'open', key: KEY }), 'b'), [0])
    const after = alone.handle({ type: 'flush' })
    assert.deepEqual([havesOf(after, 'a'), gotsOf(after)], [[0], []])
  })

  it('complete with the last chunk, and ask no more', () => {
    const alone = new Alone()
    alone.begin('a')
    alone.frame('b', { complete: true })
    const actions = ALL.flatMap(index => alone.give('a', index))
    assert.deepEqual(typesOf(actions).filter(type => type === 'complete').length, 1)
    assert.deepEqual(alone.machine.payloadOf(KEY), PAYLOAD)
    assert.deepEqual([asksOf(alone.pass(5_000)), blamesOf(alone.pass(5_000))], [[], []])
  })

  it('blame a wrong chunk and ask somebody else', () => {
    const alone = new Alone()
    alone.begin('a')
    const asked = asksOf(alone.frame('a', { complete: true }))
    assert.equal(asked.length, 2)
    alone.frame('b', { complete: true })
    const chunk = { ...chunkAt(asked[0] as number), data: new Uint8Array(CHUNK) }
    assert.deepEqual(blamesOf(alone.frame('a', { chunk })), ['a swarm-chunk'])
    const later = ALL.flatMap(index => (asked.includes(index) ? [] : alone.give('b', index)))
    assert.ok(asked.every(index => asksOf(later, 'b').includes(index)))
    assert.deepEqual(asksOf([...later, ...alone.frame('a', { lack: [0] }), ...alone.pass(3_000)], 'a'), [])
  })

  it('never ask again for what a neighbour lacks, whatever it says', () => {
    const alone = new Alone(['a'])
    alone.begin('a')
    const asked: number[] = []
    let next = asksOf(alone.frame('a', { complete: true }))
    for (let round = 0; round < 100 && next.length > 0; round++) {
      asked.push(...next)
      next = asksOf(alone.frame('a', { lack: next, complete: true, have: ALL }))
    }
    assert.deepEqual(asked.toSorted(), ALL)
  })

  it('blame a neighbour that leaves four asks in a row without an answer, once', () => {
    const alone = new Alone(['a'])
    alone.begin('a')
    alone.frame('a', { complete: true })
    assert.deepEqual(blamesOf(alone.pass(9_000)), ['a swarm-stalled'])
  })

  it('blame no neighbour for what somebody else was quicker with', () => {
    const alone = new Alone()
    alone.begin('a')
    alone.frame('a', { complete: true })
    const actions = ALL.slice(1).flatMap(index => [...alone.give('b', index), ...alone.pass(600)])
    assert.deepEqual(blamesOf(actions), [])
  })

  it('blame frames with chunk numbers beyond the last, and do nothing else with them', () => {
    const parts: Partial<SwarmFrame>[] = [
      { have: [COUNT] },
      { ask: [COUNT] },
      { lack: [COUNT] },
      { got: [COUNT] },
      { got: [0, 4_095] },
      { chunk: { ...chunkAt(0), index: COUNT } },
      { have: [0], ask: [4_095] },
    ]
    for (const part of parts) {
      const actions = new Alone()
      actions.begin('a')
      assert.deepEqual(
        actions.frame('a', part).map(({ type }) => type),
        ['offence'],
      )
    }
  })

  it('keep frames that come too early, a few, for a while', () => {
    const alone = new Alone()
    const [first] = [...alone.machine.peers()]
    for (let index = 0; index < 100; index++) alone.give('a', index % COUNT)
    assert.deepEqual([first?.early.count, alone.machine.counts.earlyDropped], [64, 36])
    assert.ok(typesOf(alone.begin('a')).includes('complete'))
    assert.equal(first?.early.count, 0)

    const large = new Alone()
    for (let index = 0; index < 10; index++) large.frame('a', {}, 100_000)
    assert.equal([...large.machine.peers()][0]?.early.keptBytes, 200_000)
    large.pass(5_000)
    assert.equal([...large.machine.peers()][0]?.early.keptBytes, 0)
  })

  it('answer asks for a swarm that is over with a lack, acknowledge chunks, and keep nothing of it', () => {
    const alone = new Alone()
    alone.begin(undefined)
    alone.handle({ type: 'end', key: KEY })
    assert.deepEqual(lacksOf(alone.frame('a', { ask: [1, 2] })), [1, 2])
    assert.deepEqual(framesOf(alone.give('a', 1)), [{ ...EMPTY, got: [1] }])
    const [first] = [...alone.machine.peers()]
    assert.equal(first?.early.count, 0)
  })

  it('give again what was given to a neighbour that is gone', () => {
    const peers = ['a', 'b', 'c']
    const alone = new Alone(peers)
    const given = alone.begin(undefined, { neighbours: peers })
    const again = [...alone.handle({ type: 'gone', peer: 'a' }), ...alone.pass(50)]
    assert.ok(chunksOf(given, 'a').length > 0)
    for (const peer of ['b', 'c']) assert.deepEqual(chunksOf([...given, ...again], peer).toSorted(), ALL)
  })

  it('tell that nothing comes, greet those who are silent, and end after a while', () => {
    const alone = new Alone()
    alone.begin('a')
    alone.give('a', 0)
    alone.handle({ type: 'flush' })
    const stalled = alone.pass(3_000).filter(({ type }) => type === 'stalled')
    assert.deepEqual(
      stalled.map(one => (one.type === 'stalled' ? one.idleMs : 0)),
      [1_500, 2_000, 2_500, 3_000],
    )
    assert.equal(framesOf(alone.handle({ type: 'flush' }), 'b').length, 1)
    assert.deepEqual(framesOf(alone.handle({ type: 'flush' }), 'a'), [])
    const last = alone.pass(7_000).filter(({ type }) => type !== 'stalled' && type !== 'send')
    assert.deepEqual(
      last.map(one => (one.type === 'expired' ? one.held : 0)),
      [1],
    )
    assert.equal(alone.machine.size, 0)
  })

  it('take small chunks out of large frames', () => {
    const alone = new Alone()
    alone.begin('a')
    const large = new Uint8Array(1_000_000)
    large.set(chunkAt(2).data, 500)
    alone.frame('a', { chunk: { ...chunkAt(2), data: large.subarray(500, 500 + CHUNK) } })
    const [swarm] = [...alone.machine.swarms()]
    assert.equal(swarm?.chunk(2).buffer.byteLength, CHUNK)
  })

  it('do without peers that they do not know', () => {
    const alone = new Alone()
    assert.deepEqual(alone.frame('stranger', { ask: [1] }), [])
    alone.begin('stranger', { neighbours: ['stranger', 'a'] })
    assert.deepEqual(
      [...(alone.machine.swarms() as Iterable<{ links: Map<string, unknown> }>)].map(({ links }) => [
        ...links.keys(),
      ]),
      [['a']],
    )
  })
})
