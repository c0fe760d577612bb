/**
 * Peers that abuse what gossip lets them say cost their victim little while they are there, and nothing once they
 * have left; and each abuse costs them what the table of offences says.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Node, type NodeConfig, OFFENCES } from '../../src/index.ts'
import { type Frame, type HandPeer, startHandPeer, varint } from './support/bare.ts'
import {
  addressOf,
  connectLine,
  gather,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  TOPIC,
  untilMeshed,
} from './support/nodes.ts'
import { parseMetrics } from './support/samples.ts'
import { until } from './support/until.ts'

type Offence = keyof typeof OFFENCES

const NETWORK = 'hygiene'

/** An attack may fall into two heartbeats, but not into more. */
const CONFIG = { network: NETWORK, gossip: { ...QUICK_GOSSIP, heartbeatMs: 1_000 } }

const HOSTILE = 20
const HOUR_MS = 3_600_000

/**
 * What a peer may leave behind. Each has sent 5 MB; its score stays, and its record in libp2p's peer store, which holds
 * 64 KiB until that store forgets it. The heap as a whole moves by some megabytes, whoever comes.
 */
const KEPT_BYTES_MAX = 1_000_000

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

let made = 0
function freshIds(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const id = Buffer.alloc(20)
    id.writeUInt32BE(made++)
    return id
  })
}

const CONTROL = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }
const subscription = (topic: string) => ({ topic, subscribe: true })
const JOIN: Frame = {
  subscriptions: [subscription(TOPIC)],
  control: { ...CONTROL, graft: [{ topicID: TOPIC }] },
}

const offer = (count: number): Frame => ({
  control: { ...CONTROL, ihave: [{ topicID: TOPIC, messageIDs: freshIds(count) }] },
})

/** What stands around a list of bytes, in protobuf. */
function field(number: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of((number << 3) | 2), varint(body.byteLength), body])
}

/** Four megabytes of empty ids, in lists that are no longer than lists may be. */
function emptyIds(): Uint8Array {
  const offers = field(1, Buffer.alloc(8_000, Uint8Array.of(0x12, 0)))
  const frame = field(3, Buffer.concat(Array.from({ length: 500 }, () => offers)))
  return Buffer.concat([varint(frame.byteLength), frame])
}

interface Attack {
  readonly id: string
  readonly offence: Offence
  readonly frames: (peer: HandPeer) => (Frame | Uint8Array)[]
}

const ATTACKS: readonly Attack[] = [
  {
    id: 'a frame with 1,025 subscriptions',
    offence: 'gossip-limits',
    frames: () => [{ subscriptions: Array.from({ length: 1_025 }, () => subscription(TOPIC)) }],
  },
  { id: 'a frame with two million ids', offence: 'gossip-limits', frames: () => [emptyIds()] },
  {
    id: 'a back-off for longer than there were people',
    offence: 'gossip-backoff',
    frames: () => [
      { control: { ...CONTROL, prune: [{ topicID: TOPIC, peers: [], backoff: Number.MAX_SAFE_INTEGER }] } },
    ],
  },
  {
    id: 'five times the ids that we would ask for',
    offence: 'gossip-ihave',
    frames: () => Array.from({ length: 5 }, () => offer(5_000)),
  },
  {
    id: '1,500 topics',
    offence: 'gossip-topics',
    frames: peer =>
      [0, 750].map(first => ({
        subscriptions: Array.from({ length: 750 }, (_, number) =>
          subscription(`${peer.id} ${first + number}`),
        ),
      })),
  },
]

function commit({ frames }: Attack, peer: HandPeer): void {
  for (const frame of frames(peer)) {
    if (frame instanceof Uint8Array) peer.write(frame)
    else peer.send(frame)
  }
}

/** A node with an honest neighbour, and what it has to say of others. */
async function victim(
  t: TestContext,
  config: NodeConfig = CONFIG,
): Promise<{ node: Node; honest: Node; offences: [string, Offence][] }> {
  const [node, honest] = (await startNodes(t, 2, config)) as [Node, Node]
  for (const each of [node, honest]) gather(each)
  await connectLine([honest, node])
  await untilMeshed([honest, node])
  const offences: [string, Offence][] = []
  node.on('offence', (peer, offence) => offences.push([peer, offence]))
  return { node, honest, offences }
}

/** The node has read all that the peer has sent: it has its message. */
async function untilRead(node: Node, peer: HandPeer): Promise<void> {
  const before = node.topicStats(TOPIC)?.accepted ?? 0
  peer.send({ messages: [{ topic: TOPIC, data: Buffer.from(`last words of ${peer.id} ${made++}`) }] })
  await until('all is read', () => node.topicStats(TOPIC)?.accepted === before + 1)
}

for (const attack of ATTACKS) {
  const weight = OFFENCES[attack.offence]
  test(`${attack.id}: costs ${weight} points, for ${attack.offence}`, { timeout: 30_000 }, async t => {
    const { node, honest, offences } = await victim(t)
    const peer = await startHandPeer(t, addressOf(node))
    peer.send(JOIN)
    await untilRead(node, peer)
    commit(attack, peer)
    await untilRead(node, peer)

    assert.ok(offences.length >= 1)
    assert.deepEqual(new Set(offences.map(String)), new Set([`${peer.id},${attack.offence}`]))
    const score = node.peers().find(({ peer: id }) => id === peer.id)?.score ?? Number.NaN
    assert.ok(Math.abs(score + offences.length * weight) < 0.5, `the score is ${score}`)
    assert.equal(node.peers().find(({ peer: id }) => id === honest.peer)?.score, 0)
  })
}

test('much gossip of a peer that does not shake hands ends its stream', { timeout: 30_000 }, async t => {
  const { node, honest, offences } = await victim(t)
  const peer = await startHandPeer(t, addressOf(node), [`/floodgate/${NETWORK}/hello/1`])
  peer.send({ messages: [{ topic: TOPIC, data: Buffer.alloc(100_000) }] })
  await until('it is noticed', () => offences.length > 0)
  assert.deepEqual(offences, [[peer.id, 'early-gossip']])
  assert.equal(node.topicStats(TOPIC)?.accepted, 0)
  await propagateText(honest, 'after')
  await until('the honest message is there', () => node.topicStats(TOPIC)?.accepted === 1)
})

/** How many entries gossipsub's maps hold, by its own account, and how many series it has for topics. */
async function cacheSizes(node: Node): Promise<Record<string, number>> {
  const lines = (await node.metrics()).split('\n').filter(line => /^(# [A-Z]+ )?gossipsub_/.test(line))
  const families = parseMetrics(lines.join('\n'))
  const { samples = [] } = families.get('gossipsub_cache_size') ?? {}
  assert.ok(samples.length > 10)
  const sizes = samples.map(({ labels, value }) => [labels.cache, value])
  return {
    topicSeries: families.get('gossipsub_topic_peer_count')?.samples.length ?? 0,
    ...Object.fromEntries(sizes),
  }
}

/** Bytes in use by objects and by buffers: the least of some samples. */
async function usedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let sample = 0; sample < 5; sample++) {
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
    await pause(100)
  }
  return least
}

/** A peer that does all that peers can do wrong, and leaves. Nobody holds on to it: the test would until its end. */
async function visit(node: Node): Promise<void> {
  const peer = await startHandPeer({ after() {} }, addressOf(node))
  peer.send(JOIN)
  for (const attack of ATTACKS) commit(attack, peer)
  await untilRead(node, peer)
  await peer.libp2p.stop()
  await until('it has left', () => node.peers().length === 1)
}

/** Puts the calendar forward when it is called; never back, while connections stand. */
function calendar(t: TestContext): (byMs: number) => void {
  const now = Date.now
  let aheadMs = 0
  // Not by `mock.method`, which remembers every call.
  Date.now = () => now() + aheadMs
  t.after(() => {
    Date.now = now
  })
  return byMs => {
    aheadMs += byMs
  }
}

/** Waits until nothing is left of what goes with time. */
async function measure(node: Node): Promise<{ sizes: Record<string, number>; bytes: number }> {
  const passing = ['backoff', 'seenCache', 'mcache', 'idontwants', 'gossipTracer.requests']
  await until('gossip has let go what it kept', async () => {
    const sizes = await cacheSizes(node)
    return passing.every(cache => sizes[cache] === 0) && sizes.score === 1
  })
  return { sizes: await cacheSizes(node), bytes: await usedBytes() }
}

test(`nothing stays of ${HOSTILE} hostile peers`, { timeout: 120_000 }, async t => {
  const { node } = await victim(t, { network: NETWORK, gossip: QUICK_GOSSIP })
  const advance = calendar(t)
  // What loads and compiles once does so now.
  for (let number = 0; number < 10; number++) await visit(node)
  advance(2 * HOUR_MS)
  const before = await measure(node)
  for (let number = 0; number < HOSTILE; number++) await visit(node)
  const during = await cacheSizes(node)
  assert.ok((during.backoff ?? 0) >= HOSTILE, 'the attacks have no effect')
  advance(2 * HOUR_MS)
  const after = await measure(node)

  assert.deepEqual(after.sizes, before.sizes)
  const keptBytes = Math.round((after.bytes - before.bytes) / HOSTILE)
  t.diagnostic(`${keptBytes} bytes more for each hostile peer`)
  assert.ok(keptBytes < KEPT_BYTES_MAX, `${keptBytes} bytes are kept of each`)
})
