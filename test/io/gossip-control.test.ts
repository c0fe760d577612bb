/**
 * Control messages within measure: what is cut, who is blamed for it and how often, and that honest peers are not.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RPC } from '@libp2p/gossipsub/message'
import { ControlLimits } from '../../src/io/gossip-control.ts'

const HEARTBEAT_MS = 1_000
const TOPICS = 3

const limits = (): ControlLimits =>
  new ControlLimits({ heartbeatMs: HEARTBEAT_MS, idMinBytes: 20, idMaxBytes: 20 })

function ids(count: number, sizeBytes = 20): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(sizeBytes))
}

function controls(parts: Partial<RPC.ControlMessage>): RPC.ControlMessage {
  return { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...parts }
}

/** An offer of so many ids, a list for each number. */
function offer(...counts: number[]): RPC.ControlMessage {
  return controls({ ihave: counts.map(count => ({ topicID: 'tx', messageIDs: ids(count) })) })
}

const idCount = (lists: readonly { messageIDs: Uint8Array[] }[]): number =>
  lists.reduce((sum, { messageIDs }) => sum + messageIDs.length, 0)

describe('ids', () => {
  for (const list of ['ihave', 'iwant', 'idontwant'] as const) {
    test(`of another length are dropped from ${list.toUpperCase()}, and nobody is blamed`, () => {
      const control = controls({
        [list]: [
          { messageIDs: [...ids(2), ...ids(1, 19), ...ids(1), ...ids(1, 0)] },
          { messageIDs: ids(2, 21) },
          { messageIDs: ids(1) },
        ],
      })
      assert.deepEqual(limits().trim('a', control, TOPICS), { blames: [], oddIds: 4 })
      assert.deepEqual(
        control[list].map(({ messageIDs }) => messageIDs.length),
        [3, 0, 1],
      )
    })
  }

  test('may have more than one length', () => {
    const signed = new ControlLimits({ heartbeatMs: HEARTBEAT_MS, idMinBytes: 8, idMaxBytes: 10 })
    const control = controls({ iwant: [{ messageIDs: [7, 8, 9, 10, 11].map(size => new Uint8Array(size)) }] })
    assert.equal(signed.trim('a', control, TOPICS).oddIds, 2)
    assert.equal(idCount(control.iwant), 3)
  })
})

describe('offers', () => {
  const cases: {
    id: string
    frames: RPC.ControlMessage[]
    topics: number
    passed: number
    blames: number
  }[] = [
    { id: 'one full one', frames: [offer(5_000)], topics: 1, passed: 5_000, blames: 0 },
    {
      id: 'a full one for each topic, of two heartbeats',
      frames: [offer(5_000, 5_000, 5_000), offer(5_000, 5_000, 5_000)],
      topics: 3,
      passed: 30_000,
      blames: 0,
    },
    {
      id: 'an id more than that',
      frames: [offer(5_000, 5_000, 5_000), offer(5_000, 5_000, 5_001)],
      topics: 3,
      passed: 30_000,
      blames: 1,
    },
    {
      id: 'far more in one frame',
      frames: [offer(5_000, 5_000, 5_000, 5_000)],
      topics: 1,
      passed: 10_000,
      blames: 1,
    },
    {
      id: 'ever more',
      frames: [offer(9_999), offer(5), offer(5), offer(5)],
      topics: 1,
      passed: 10_000,
      blames: 1,
    },
    {
      id: 'of a node without topics',
      frames: [offer(5_000, 5_000), offer(1)],
      topics: 0,
      passed: 10_000,
      blames: 1,
    },
    {
      id: 'twenty small ones',
      frames: Array.from({ length: 20 }, () => offer(1)),
      topics: 1,
      passed: 20,
      blames: 0,
    },
    {
      id: 'one small one too many',
      frames: Array.from({ length: 21 }, () => offer(1)),
      topics: 1,
      passed: 20,
      blames: 1,
    },
    {
      id: 'a frame for each of thirty topics, of two heartbeats',
      frames: Array.from({ length: 60 }, () => offer(1)),
      topics: 30,
      passed: 60,
      blames: 0,
    },
    {
      id: 'a frame for each of thirty topics, and one more',
      frames: Array.from({ length: 61 }, () => offer(1)),
      topics: 30,
      passed: 60,
      blames: 1,
    },
    {
      id: 'a thousand empty ones',
      frames: Array.from({ length: 1_000 }, () => offer()),
      topics: 1,
      passed: 0,
      blames: 0,
    },
    {
      id: 'a thousand of nothing',
      frames: Array.from({ length: 1_000 }, () => offer(0)),
      topics: 1,
      passed: 0,
      blames: 1,
    },
  ]
  for (const { id, frames, topics, passed, blames } of cases) {
    test(`${id}: ${blames === 0 ? 'pass' : 'are cut, and blamed once'}`, () => {
      const control = limits()
      const found = frames.flatMap(frame => control.trim('a', frame, topics).blames)
      assert.equal(idCount(frames.flatMap(({ ihave }) => ihave)), passed)
      assert.deepEqual(
        found.map(({ offence }) => offence),
        Array(blames).fill('gossip-ihave'),
      )
    })
  }

  test('are counted by peer, and anew after a heartbeat', () => {
    const control = limits()
    const flood = (peer: string): number => control.trim(peer, offer(10_001), 1).blames.length
    assert.deepEqual([flood('a'), flood('a'), flood('b')], [1, 0, 1])
    control.beat(() => true)
    assert.deepEqual([flood('a'), flood('a'), flood('b')], [1, 0, 1])
    const honest = offer(5_000)
    control.beat(() => true)
    assert.deepEqual(control.trim('a', honest, 1).blames, [])
    assert.equal(idCount(honest.ihave), 5_000)
  })

  test('beyond the limits say what was offered', () => {
    const [blame] = limits().trim('a', offer(10_001), 1).blames
    assert.equal(blame?.detail, '10001 ids in 1 frames within a heartbeat, limits 10000 and 20')
  })
})

describe('a back-off', () => {
  const cases: { seconds: number | undefined; kept: number | undefined; isBlamed: boolean }[] = [
    { seconds: undefined, kept: undefined, isBlamed: false },
    { seconds: 0, kept: 0, isBlamed: false },
    { seconds: 60, kept: 60, isBlamed: false },
    { seconds: 3_600, kept: 3_600, isBlamed: false },
    { seconds: 3_601, kept: 3_600, isBlamed: true },
    { seconds: 2 ** 32, kept: 3_600, isBlamed: true },
    { seconds: Number.MAX_SAFE_INTEGER, kept: 3_600, isBlamed: true },
    { seconds: 2 ** 64, kept: 3_600, isBlamed: true },
  ]
  for (const { seconds, kept, isBlamed } of cases) {
    test(`of ${seconds} s is ${isBlamed ? 'cut, and blamed' : 'left alone'}`, () => {
      const prune = { topicID: 'tx', peers: [], ...(seconds === undefined ? {} : { backoff: seconds }) }
      const { blames } = limits().trim('a', controls({ prune: [prune] }), TOPICS)
      assert.equal((prune as RPC.ControlPrune).backoff, kept)
      assert.deepEqual(
        blames.map(({ offence }) => offence),
        isBlamed ? ['gossip-backoff'] : [],
      )
    })
  }

  test('is blamed once for a frame', () => {
    const prune = [4_000, 1e9, 60].map(backoff => ({ topicID: 'tx', peers: [], backoff }))
    const { blames } = limits().trim('a', controls({ prune }), TOPICS)
    assert.deepEqual(blames, [
      { offence: 'gossip-backoff', detail: 'a back-off of 1000000000 s, limit 3600 s' },
    ])
    assert.deepEqual(
      prune.map(({ backoff }) => backoff),
      [3_600, 3_600, 60],
    )
  })
})

test('refused topics are blamed once a minute and peer', () => {
  const control = limits()
  const refused = (): (string | undefined)[] =>
    ['a', 'b', 'a'].map(peer => control.refuseTopic(peer)?.offence)
  assert.deepEqual(refused(), ['gossip-topics', 'gossip-topics', undefined])
  for (let beat = 1; beat < 60_000 / HEARTBEAT_MS; beat++) {
    control.beat(() => true)
    assert.deepEqual(refused(), [undefined, undefined, undefined])
  }
  control.beat(() => true)
  assert.deepEqual(refused(), ['gossip-topics', 'gossip-topics', undefined])
})

test('a peer that has gone is forgotten at the next heartbeat', () => {
  const control = limits()
  for (const peer of ['a', 'b', 'c']) control.trim(peer, offer(1), TOPICS)
  control.refuseTopic('d')
  assert.equal(control.size, 4)
  control.beat(peer => peer === 'b')
  assert.equal(control.size, 1)
  control.beat(() => false)
  assert.equal(control.size, 0)
})
