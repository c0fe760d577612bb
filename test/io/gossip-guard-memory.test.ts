/**
 * Nothing of hostile peers stays: every map, set and list of the library, whatever it is called, is as long as before
 * once they have left and what has a term has run out.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectionSizes } from './collection-sizes.ts'
import { type Frame, type GossipPeer, openRealGossip, type RealGossip } from './real-gossip.ts'

const TOPICS = ['tx', 'blocks', 'votes']

const HOSTILE = 20
const HOUR_MS = 3_600_000

/** The library cleans its back-offs at every 15th heartbeat. */
const BACKOFF_BEATS = 15

let made = 0
function freshIds(count: number, sizeBytes = 20): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const id = Buffer.alloc(sizeBytes)
    id.writeUInt32BE(made++)
    return id
  })
}

const subscription = (topic: string) => ({ topic, subscribe: true })
const JOIN: Frame = {
  subscriptions: TOPICS.map(subscription),
  control: { graft: TOPICS.map(topicID => ({ topicID })) },
}

/** What a hostile peer does, each at its own time. */
const ATTACKS: Record<string, (peer: string) => (Frame | Uint8Array)[]> = {
  'frames over the limits': () => [
    { messages: Array.from({ length: 1_025 }, () => ({ topic: 'tx' })) },
    { control: { iwant: [{ messageIDs: freshIds(5_001) }] } },
    Uint8Array.of(0x12, 0x7f),
  ],
  'absurd back-offs': () =>
    [1e6, 2 ** 40, Number.MAX_SAFE_INTEGER].map(backoff => ({
      control: { prune: [...TOPICS, 'another'].map(topicID => ({ topicID, peers: [], backoff })) },
    })),
  'floods of ids': () =>
    Array.from({ length: 30 }, () => ({
      control: {
        ihave: TOPICS.map(topicID => ({ topicID, messageIDs: [...freshIds(500), ...freshIds(5, 10_000)] })),
        iwant: [{ messageIDs: freshIds(500) }],
        idontwant: [{ messageIDs: [...freshIds(100), ...freshIds(5, 10_000)] }],
      },
    })),
  '1,500 topics': peer =>
    [0, 750].map(first => ({
      subscriptions: Array.from({ length: 750 }, (_, i) => subscription(`${peer} ${first + i}`)),
    })),
  'grafts and prunes in turn': () =>
    Array.from({ length: 50 }, () => ({
      control: {
        graft: TOPICS.map(topicID => ({ topicID })),
        prune: TOPICS.map(topicID => ({ topicID, peers: [] })),
      },
    })),
  messages: peer => [
    { messages: TOPICS.map(topic => ({ topic, data: Buffer.from(`of ${peer}`) })) },
    { messages: [{ topic: 'nobody', data: Buffer.alloc(1_000) }] },
    { messages: [{ topic: 'tx', data: Buffer.alloc(1_001) }] },
    { messages: [{ topic: 'tx', data: Buffer.from('signed'), key: Buffer.alloc(10_000) }] },
  ],
}

async function attack(gossip: RealGossip, number: number): Promise<GossipPeer> {
  const peer = gossip.connect(`hostile ${number}`, `198.51.100.${number}`)
  await peer.send(JOIN)
  for (const make of Object.values(ATTACKS)) await peer.send(...make(peer.name))
  return peer
}

/** Long enough for all that has a term but the back-offs: at most 120 s in the library. */
async function minutesPass(gossip: RealGossip): Promise<void> {
  for (let beat = 0; beat < 2 * BACKOFF_BEATS; beat++) await gossip.beat(10_000)
}

async function hoursPass(gossip: RealGossip): Promise<void> {
  await gossip.beat(HOUR_MS)
  for (let beat = 0; beat < BACKOFF_BEATS; beat++) await gossip.beat()
}

/** All sizes but those of the back-offs, and these. */
function sizesOf({ router }: RealGossip): { backoffs: number; others: Record<string, number> } {
  const { backoff = 0, 'backoff[]': backoffs = 0, ...others } = collectionSizes(router)
  return { backoffs: backoff + backoffs, others }
}

test('every map of the library is as it was once hostile peers have left', { timeout: 60_000 }, async t => {
  const gossip = await openRealGossip(t, TOPICS, { penaliseSharedIp: true })
  const honest = gossip.connect('honest', '192.0.2.1')
  await honest.send(JOIN)
  await minutesPass(gossip)
  await hoursPass(gossip)
  const before = sizesOf(gossip)
  assert.equal(before.others.peers, 1)
  assert.equal(before.backoffs, 0)

  for (let number = 1; number <= HOSTILE; number++) {
    const peer = await attack(gossip, number)
    if (number === 1) {
      const during = sizesOf(gossip)
      const grown = Object.keys(during.others).filter(
        path => (during.others[path] ?? 0) > (before.others[path] ?? 0),
      )
      t.diagnostic(`grown under attack: ${grown.join(', ')}`)
      for (const path of [
        'topics',
        'peers',
        'idontwants',
        'iasked',
        'gossipTracer.promises',
        'seenCache.entries',
      ]) {
        assert.ok(grown.includes(path), `${path} has not grown: the attack has no effect`)
      }
      assert.ok(during.backoffs > 0)
    }
    if (number % 2 === 0) await gossip.beat()
    // Every fourth writes on when gossip has removed it, and of half of them gossip never hears that they have gone.
    if (number % 4 === 0) {
      gossip.router.onPeerDisconnected(peer.id)
      await peer.send(JOIN, ...Object.values(ATTACKS).flatMap(make => make(peer.name)))
    }
    await peer.leave(number % 2 === 0)
  }
  const offences = new Set(gossip.offences.map(({ offence }) => offence))
  assert.deepEqual([...offences].sort(), [
    'gossip-backoff',
    'gossip-ihave',
    'gossip-limits',
    'gossip-topics',
    'malformed',
    'oversized',
  ])
  assert.ok(gossip.offences.every(({ peer }) => peer !== 'honest'))
  assert.ok(gossip.dropped('gone') > 0)

  await minutesPass(gossip)
  const soon = sizesOf(gossip)
  assert.deepEqual(soon.others, before.others)
  assert.ok(soon.backoffs <= TOPICS.length * (HOSTILE + 1), `${soon.backoffs} entries of back-offs`)
  await hoursPass(gossip)
  assert.deepEqual(sizesOf(gossip), before)
})
