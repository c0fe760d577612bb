/**
 * Swarms in networks where something goes wrong: everybody honest gets the payload, and nobody honest is blamed.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SwarmFrame } from '../../src/gossip/swarm-frame.ts'
import { SwarmWorld, type WorldOptions } from './swarm-world.ts'

const LINE = 20_000_000 / 8
const THIRTY: WorldOptions = {
  nodes: 30,
  degree: 8,
  sizeBytes: 500_000,
  chunkBytes: 16_384,
  upBytesPerS: LINE,
  latencyMs: 50,
  seed: 1,
}

function spoilt(frame: SwarmFrame): SwarmFrame {
  if (frame.chunk === undefined) return frame
  return { ...frame, chunk: { ...frame.chunk, data: frame.chunk.data.map(byte => byte ^ 1) } }
}

const mute = (frame: SwarmFrame): SwarmFrame => ({ ...frame, chunk: undefined })

/** A world in which one node changes what it sends. The origin is node 0. */
function worldWith(bad: number, change: (frame: SwarmFrame) => SwarmFrame | undefined, seed = 1): SwarmWorld {
  const world = new SwarmWorld({ ...THIRTY, seed })
  world.tamper = (from, _to, frame) => (from === bad ? change(frame) : frame)
  world.begin(0)
  return world
}

function assertDone(world: SwarmWorld, done: number, withinMs: number): void {
  const figures = world.figures()
  assert.equal(figures.done, done)
  assert.ok(figures.all <= withinMs, `all after ${figures.all} ms`)
  for (const node of world.nodes) node.check()
}

function assertOthersDone(world: SwarmWorld, bad: number, withinMs: number): void {
  for (const [node, atMs] of world.doneAtMs.entries())
    assert.ok(node === bad || (atMs !== undefined && atMs <= withinMs), `${node} has it after ${atMs} ms`)
}

/** Who was blamed by anybody. */
const blamed = (world: SwarmWorld): string[] => [
  ...new Set(world.offences.map(text => text.replace(/^.* blames /, ''))),
]

describe('a swarm with faults', () => {
  it('goes on without its announcer, once each chunk has left', () => {
    const world = new SwarmWorld(THIRTY)
    world.begin(0)
    world.after(350, () => world.vanish(0))
    world.run(20_000)
    assertDone(world, 30, 3_000)
    assert.deepEqual(blamed(world), [])
  })

  it('ends everywhere if its announcer takes chunks along, and blames nobody for it', () => {
    const world = new SwarmWorld(THIRTY)
    world.begin(0)
    world.after(100, () => world.vanish(0))
    world.run(70_000)
    assert.equal(world.expired.length, 29)
    assert.deepEqual(blamed(world), [])
    assert.deepEqual(
      world.nodes.slice(1).map(({ size }) => size),
      new Array(29).fill(0),
    )
  })

  it('passes by a neighbour of the announcer that keeps its chunks and says nothing', () => {
    for (const seed of [1, 2]) {
      const bad = Number(new SwarmWorld({ ...THIRTY, seed }).near[0]?.[0])
      const world = worldWith(bad, () => undefined, seed)
      world.run(20_000)
      assertDone(world, 29, 3_000)
      assert.deepEqual(
        world.offences.filter(text => !text.startsWith(`${bad} `)),
        [],
      )
    }
  })

  it('passes by a node that promises chunks and sends none', () => {
    for (const seed of [1, 2]) {
      const bad = Number(new SwarmWorld({ ...THIRTY, seed }).near[0]?.[0])
      const world = worldWith(bad, mute, seed)
      world.run(20_000)
      assertDone(world, 30, 3_000)
    }
  })

  it('blames the only holder when it promises chunks and sends none', () => {
    const world = new SwarmWorld({ ...THIRTY, nodes: 3, degree: 2 })
    world.tamper = (from, _to, frame) => (from === 0 ? { ...mute(frame), complete: true } : frame)
    world.begin(0)
    world.run(20_000)
    assert.deepEqual(blamed(world), ['0: swarm-stalled'])
  })

  it('goes round a node that sends wrong chunks, and blames it alone', () => {
    for (const seed of [1, 2]) {
      const world = worldWith(5, spoilt, seed)
      world.run(20_000)
      assertDone(world, 30, 2_500)
      assert.deepEqual(blamed(world), ['5: swarm-chunk'])
    }
  })

  it('goes round a node that lacks what it has promised', () => {
    const world = worldWith(5, frame => ({ ...mute(frame), have: [], complete: true, lack: frame.ask }))
    world.run(20_000)
    assertDone(world, 29, 3_000)
  })

  it('blames a node whose chunk numbers are beyond the last', () => {
    const world = worldWith(5, frame => ({ ...frame, have: [4_000] }))
    world.run(5_000)
    assert.deepEqual(blamed(world), ['5: swarm-malformed'])
    assert.equal(world.figures().done >= 29, true)
  })

  it('is not held up by a node that acknowledges nothing, which gets it later', () => {
    const world = worldWith(5, frame => ({ ...frame, got: [] }))
    world.run(20_000)
    assertDone(world, 30, 15_000)
    assertOthersDone(world, 5, 2_500)
    assert.deepEqual(blamed(world), [])
  })

  it('is not held up by a node that acknowledges what it did not get, and blames that one alone', () => {
    const got = Array.from({ length: Math.ceil(THIRTY.sizeBytes / THIRTY.chunkBytes) }, (_, index) => index)
    const world = worldWith(5, frame => ({ ...frame, got }))
    world.run(20_000)
    assertOthersDone(world, 5, 2_500)
    // It gets no chunks itself, and takes the others for liars.
    const told = world.offences.filter(text => !text.startsWith('5 blames '))
    assert.deepEqual(
      told.filter(text => !text.includes(' blames 5: ')),
      [],
    )
  })

  it('reaches a node that joins late, from those who have all', () => {
    const world = new SwarmWorld({ ...THIRTY, absent: [7] })
    const { head } = world.begin(0)
    world.run(20_000)
    assertDone(world, 29, 2_000)
    const joinedAtMs = world.nowMs
    world.join(7, head)
    world.run(20_000)
    assertDone(world, 30, joinedAtMs + 1_500)
    assert.deepEqual(blamed(world), [])
  })

  it('reaches a node that joins in the middle', () => {
    const world = new SwarmWorld({ ...THIRTY, absent: [7] })
    const { head } = world.begin(0)
    world.after(300, () => world.join(7, head))
    world.run(20_000)
    assertDone(world, 30, 2_500)
    assert.deepEqual(blamed(world), [])
  })

  it('goes on when nodes leave in the middle', () => {
    const world = new SwarmWorld(THIRTY)
    world.begin(0)
    for (const node of [9, 12, 20]) world.after(400, () => world.vanish(node))
    world.run(20_000)
    assertDone(world, 27, 2_500)
    assert.deepEqual(blamed(world), [])
  })

  it('is not slowed by a node with a slow line, which gets it in the end and blames nobody', () => {
    const slow = 100_000 / 8
    const world = new SwarmWorld({
      ...THIRTY,
      upBytesPerS: node => (node === 9 ? slow : LINE),
      downBytesPerS: node => (node === 9 ? slow : 1e9),
    })
    world.begin(0)
    world.run(2_500)
    assertDone(world, 29, 2_000)
    world.run(90_000)
    assertDone(world, 30, 60_000)
    assert.deepEqual(blamed(world), [])
  })
})
