import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { MessageKey } from '../../src/core/types.ts'
import {
  ASK_FRAME_FILL_BYTES,
  ASK_FRAME_MAX_BYTES,
  ASK_ITEMS_MAX,
  readAskFrame,
} from '../../src/gossip/ask-frame.ts'
import { Giver } from '../../src/gossip/giver.ts'
import { FakeChannel } from '../fixtures/fake-channel.ts'

const KIB = 1_024

const keyOf = (number: number): MessageKey => `${number}`.padStart(20, '0')
const keys = (count: number, from = 0): MessageKey[] =>
  Array.from({ length: count }, (_, at) => keyOf(from + at))

/** A giver with payloads by number: their first four bytes are the number. */
function setUp(sizes: Readonly<Record<number, number>> = {}, limits = { waitingMaxBytes: 2 ** 26 }) {
  const channel = new FakeChannel(
    '/ask',
    { frameMaxBytes: ASK_FRAME_MAX_BYTES, ...limits },
    {
      opened: () => {},
      closed: peer => giver.forget(peer),
      drained: peer => giver.serve(peer),
      frame: () => {},
    },
  )
  const giver: Giver = new Giver(channel, (topic, key) => {
    const sizeBytes = topic === 'tx' ? sizes[Number(key)] : undefined
    if (sizeBytes === undefined) return undefined
    const payload = Buffer.alloc(sizeBytes)
    payload.writeUInt32BE(Number(key))
    return payload
  })
  channel.connect('P')
  /** The frames to a peer since the last call. */
  const frames = (peer = 'P') =>
    channel.take(peer).map(bytes => {
      const { value } = readAskFrame(bytes)
      assert.ok(value !== undefined && value.ask.length === 0 && value.offer.byteLength === 0)
      const given = value.payloads.map(payload => Buffer.from(payload).readUInt32BE())
      return { topic: value.topic, given, lack: value.lack.map(Number) }
    })
  return { channel, giver, frames }
}

/** Payloads of one size, numbered from 0. */
const many = (count: number, sizeBytes: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [at, sizeBytes]))

describe('the giver', () => {
  it('sends what it has in the order of the asks, and names what it lacks', () => {
    const { giver, frames } = setUp({ 1: 10, 2: 20, 4: 40 })
    giver.asked('P', 'tx', [4, 3, 1, 5].map(keyOf))
    assert.deepEqual(frames(), [{ topic: 'tx', given: [4, 1], lack: [3, 5] }])
    assert.deepEqual(giver.counts, { given: 2, givenBytes: 50, lacking: 2 })
  })

  it('sends once for each ask', () => {
    const { giver, frames } = setUp({ 1: 10 })
    giver.asked('P', 'tx', [keyOf(1)])
    giver.serve('P')
    assert.equal(frames().length, 1)
    giver.asked('P', 'tx', [keyOf(1)])
    assert.equal(frames().length, 1)
  })

  it('keeps topics apart', () => {
    const { giver, channel, frames } = setUp({ 1: 10, 2: 10 })
    channel.stall('P', 200 * KIB)
    giver.asked('P', 'tx', [keyOf(1)])
    giver.asked('P', 'other', [keyOf(1)])
    giver.asked('P', 'tx', [keyOf(2)])
    channel.stall('P', 0)
    assert.deepEqual(frames(), [
      { topic: 'tx', given: [1], lack: [] },
      { topic: 'other', given: [], lack: [1] },
      { topic: 'tx', given: [2], lack: [] },
    ])
  })

  it('fills frames, and sends alone what is larger', () => {
    const half = ASK_FRAME_FILL_BYTES / 2
    const { giver, frames } = setUp({ 0: half, 1: half, 2: half, 3: ASK_FRAME_FILL_BYTES + 1, 4: 4 })
    giver.asked('P', 'tx', keys(5))
    assert.deepEqual(
      frames().map(({ given }) => given),
      [[0, 1], [2], [3], [4]],
    )
  })

  it('puts no more into a frame than it may hold', () => {
    const { giver, frames } = setUp(many(ASK_ITEMS_MAX + 1, 4))
    giver.asked('P', 'tx', keys(ASK_ITEMS_MAX))
    giver.asked('P', 'tx', keys(1, ASK_ITEMS_MAX))
    assert.deepEqual(
      frames().map(({ given }) => given.length),
      [ASK_ITEMS_MAX, 1],
    )
  })

  it('goes on only while little waits in the connection', () => {
    const { giver, channel, frames } = setUp(many(10, 4))
    channel.stall('P', 128 * KIB)
    giver.asked('P', 'tx', keys(3))
    giver.serve('P')
    assert.deepEqual(frames(), [])
    channel.stall('P', 128 * KIB - 1)
    giver.serve('P')
    assert.deepEqual(
      frames().map(({ given }) => given),
      [[0, 1, 2]],
    )
  })

  it('asks again for room that the channel did not have, and loses nothing', () => {
    const { giver, channel, frames } = setUp({ 0: 1_000, 1: 1_000 }, { waitingMaxBytes: 1_500 })
    channel.stall('P', 1_000)
    giver.asked('P', 'tx', [keyOf(0)])
    assert.deepEqual([frames(), giver.counts.given], [[], 0])
    channel.stall('P', 0)
    assert.deepEqual(frames(), [{ topic: 'tx', given: [0], lack: [] }])
  })

  it('says at once that it lacks what is asked beyond its queue', () => {
    const { giver, channel, frames } = setUp(many(1, 4))
    channel.stall('P', 200 * KIB)
    for (let at = 0; at < 65_536; at += ASK_ITEMS_MAX) giver.asked('P', 'tx', keys(ASK_ITEMS_MAX))
    assert.deepEqual(frames(), [])
    giver.asked('P', 'tx', [7, 8].map(keyOf))
    assert.deepEqual(frames(), [{ topic: 'tx', given: [], lack: [7, 8] }])
  })

  it('forgets the asks of a peer that is gone', () => {
    const { giver, channel, frames } = setUp(many(3, 4))
    channel.stall('P', 200 * KIB)
    giver.asked('P', 'tx', keys(3))
    channel.close('P')
    channel.connect('P')
    giver.serve('P')
    assert.deepEqual(frames(), [])
  })

  it('serves peers apart: one that is slow does not hold up another', () => {
    const { giver, channel, frames } = setUp(many(3, 4))
    channel.connect('Q')
    channel.stall('P', 200 * KIB)
    giver.asked('P', 'tx', keys(3))
    giver.asked('Q', 'tx', keys(2))
    assert.deepEqual([frames('P').length, frames('Q')[0]?.given], [0, [0, 1]])
  })

  it('answers every ask once and in order, whatever the sizes, the stalls and the topics', () => {
    const size = fc.constantFrom(undefined, 4, 100, 9_000, 20_000, 40_000)
    const step = fc.oneof(
      fc.array(fc.nat(39), { minLength: 1, maxLength: 30 }),
      fc.constantFrom('stall' as const, 'drain' as const),
    )
    fc.assert(
      fc.property(fc.array(size, { minLength: 40, maxLength: 40 }), fc.array(step), (drawn, steps) => {
        const sizes = Object.fromEntries(
          drawn.flatMap((sizeBytes, at) => (sizeBytes === undefined ? [] : [[at, sizeBytes]])),
        )
        const { giver, channel, frames } = setUp(sizes)
        const asked: number[] = []
        for (const one of steps) {
          if (one === 'stall') channel.stall('P', 200 * KIB)
          else if (one === 'drain') channel.stall('P', 0)
          else {
            asked.push(...one)
            giver.asked('P', 'tx', one.map(keyOf))
          }
        }
        channel.stall('P', 0)
        const came = frames()
        const isHere = (number: number): boolean => sizes[number] !== undefined
        assert.deepEqual(
          came.flatMap(({ given }) => given),
          asked.filter(isHere),
        )
        assert.deepEqual(
          came.flatMap(({ lack }) => lack),
          asked.filter(number => !isHere(number)),
        )
        for (const { given, lack } of came) {
          assert.ok(given.length + lack.length > 0, 'an empty frame')
          const bytes = given.reduce((sum, number) => sum + (sizes[number] ?? 0), 0)
          assert.ok(given.length === 1 || bytes <= ASK_FRAME_FILL_BYTES)
        }
      }),
      { numRuns: 200 },
    )
  })
})
