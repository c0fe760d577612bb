/**
 * Bans on real connections: what is banned is closed, kept out both ways and never told of, through restarts, until the
 * ban is lifted or over.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { endpointOf } from '../../src/core/endpoint.ts'
import type { FloodgateError, Node } from '../../src/index.ts'
import { makeNodeAt, startNodeAt } from './support/loopback.ts'
import { addressOf, startNodes } from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { type Speaker, startSpeaker } from './support/speaker.ts'
import { until } from './support/until.ts'

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'floodgate-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Somebody else in another place, whom no ban of these tests means. */
const ELSEWHERE = '127.8.0.1'

async function startPair(t: TestContext, node: Node): Promise<{ meant: Speaker; other: Speaker }> {
  const meant = await startSpeaker(t, { ip: '127.7.0.5' })
  const other = await startSpeaker(t, { ip: ELSEWHERE })
  for (const speaker of [meant, other]) await speaker.greet(addressOf(node))
  await until('both are in', () => node.peers().filter(({ handshake }) => handshake === 'done').length === 2)
  return { meant, other }
}

async function isLetIn(node: Node, speaker: Speaker): Promise<void> {
  await speaker.greet(addressOf(node))
  await until('it is in', () =>
    node.peers().some(({ peer, handshake }) => peer === speaker.id && handshake === 'done'),
  )
}

/** A dial may look as if it had worked until the node has seen whose it is. */
async function isKeptOut(node: Node, speaker: Speaker): Promise<void> {
  const refused = async (): Promise<number> =>
    sumOf(await node.metrics(), 'floodgate_drops_total', { reason: 'banned' })
  await until('it is closed', () => !speaker.isConnected)
  const before = await refused()
  await speaker.dial(addressOf(node)).catch(() => {})
  await until('it is refused', async () => !speaker.isConnected && (await refused()) > before)
  for (const address of [speaker.address, speaker.address.replace(/\/p2p\/.*/, '')]) {
    await assert.rejects(node.connect(address), (error: FloodgateError) => {
      assert.equal(error.code, 'DENIED')
      assert.match(error.message, /is banned$/)
      return true
    })
  }
  await until('nothing is left of it', () => node.peers().every(({ peer }) => peer !== speaker.id))
}

const TARGETS: { id: string; target(speaker: Speaker): string }[] = [
  { id: 'an IP address', target: () => '127.7.0.5' },
  { id: 'a range', target: () => '127.7.0.0/24' },
  { id: 'a peer id', target: speaker => speaker.id },
]

describe('a ban', () => {
  for (const { id, target } of TARGETS) {
    test(`of ${id} closes, keeps out, survives restarts and can be lifted`, { timeout: 60_000 }, async t => {
      const dataDir = await newFolder(t)
      const node = await startNodeAt(t, '127.0.0.1', { dataDir })
      const { meant, other } = await startPair(t, node)
      const ban = await node.ban(target(meant), { reason: 'a test' })
      await until('it is closed', () => !meant.isConnected && node.peers().length === 1)
      assert.deepEqual(meant.goodbyes, ['banned'])
      assert.equal(node.peers()[0]?.peer, other.id)
      await isKeptOut(node, meant)

      await node.stop()
      const again = await startNodeAt(t, '127.0.0.1', { dataDir })
      assert.deepEqual(again.bans(), [ban])
      await isKeptOut(again, meant)
      await isLetIn(again, other)

      assert.equal(await again.unban(target(meant)), true)
      await isLetIn(again, meant)
      await again.stop()
      const free = await startNodeAt(t, '127.0.0.1', { dataDir })
      assert.deepEqual(free.bans(), [])
    })
  }

  test('is over when its time is, also after a restart', { timeout: 60_000 }, async t => {
    const dataDir = await newFolder(t)
    const node = await startNodeAt(t, '127.0.0.1', { dataDir })
    const { meant } = await startPair(t, node)
    const forMs = 2_000
    const { sinceMs, untilMs } = await node.ban(meant.id, { forMs })
    assert.equal(untilMs - sinceMs, forMs)
    await until('it is closed', () => !meant.isConnected)
    await node.stop()
    const again = await startNodeAt(t, '127.0.0.1', { dataDir })
    await until('it is over', () => again.bans().length === 0)
    assert.ok(Date.now() >= untilMs, 'it was over too soon')
    await isLetIn(again, meant)
  })

  test('stands above the wish to keep a peer connected', { timeout: 30_000 }, async t => {
    const node = await startNodeAt(t, '127.0.0.1', { connections: { redialMinMs: 50, redialMaxMs: 100 } })
    const kept = await startSpeaker(t, { ip: '127.7.0.5' })
    await node.connect(kept.address, { keep: true })
    await node.ban('127.7.0.0/16')
    await until('it is closed', () => !kept.isConnected && node.peers().length === 0)
    const failures = async (): Promise<number> =>
      sumOf(await node.metrics(), 'floodgate_dials_total', { purpose: 'kept', result: 'failed' })
    await until('it was dialled again, in vain', async () => (await failures()) >= 3)
    assert.equal(kept.isConnected, false)
    await node.unban('127.7.0.0/16')
    await until('it is back', () => node.peers()[0]?.handshake === 'done')
  })

  test('of what is none is refused', { timeout: 20_000 }, async t => {
    const node = await makeNodeAt(t, '127.0.0.1')
    await assert.rejects(node.ban('127.7.0.5'), { code: 'NOT_STARTED' })
    await node.start()
    for (const target of ['', 'nonsense', '127.0.0.1/33', '/ip4/127.0.0.1/tcp/1', '12D3KooW']) {
      await assert.rejects(node.ban(target), { code: 'ARGUMENT' })
    }
    assert.deepEqual(node.bans(), [])
    assert.equal(await node.unban('127.7.0.5'), false)
  })

  test('keeps an address from being told to others', { timeout: 30_000 }, async t => {
    // Loopback addresses are told from one to the other where private ones count.
    const wide = {
      preset: 'local',
      onlyPeers: false,
      connections: { outboundTarget: 0, anchors: 0 },
    } as const
    const [node] = (await startNodes(t, 1, wide)) as [Node]
    const meant = await startSpeaker(t, { ip: '127.7.0.5' })
    const other = await startSpeaker(t, { ip: ELSEWHERE })
    for (const { address } of [meant, other]) await node.connect(address)
    const endpoints = (speakers: Speaker[]): string[] =>
      speakers.map(({ address }) => endpointOf(address) ?? '').toSorted()
    const heardBy = async (asker: Node): Promise<string[]> => {
      await asker.connect(addressOf(node))
      const heard = (): string[] =>
        asker
          .addressBook()
          .filter(({ source }) => source === 'exchange')
          .map(({ endpoint }) => endpoint)
          .toSorted()
      await until('it has been answered', () => heard().length > 0)
      return heard()
    }
    const [before, after] = (await startNodes(t, 2, wide)) as [Node, Node]
    assert.deepEqual(await heardBy(before), endpoints([meant, other]))
    await node.ban('127.7.0.0/16')
    assert.deepEqual(await heardBy(after), endpoints([other]))
    const known = node.addressBook().map(({ endpoint }) => endpoint)
    assert.ok(!known.includes(endpoints([meant])[0] ?? ''), 'it is still in the book')
  })
})
