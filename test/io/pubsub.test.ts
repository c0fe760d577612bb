/**
 * The adapter against a gossipsub made by hand: each of its rules, without time and sockets. That the real library
 * behaves as assumed here is shown by the tests in `test/e2e`. What comes in: `gossip-guard.test.ts`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GOSSIP_FRAME_MAX_BYTES } from '../../src/core/limits.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { openFakeGossip, VERDICTS } from './fake-gossip.ts'

const TOPIC = 'tx'

describe('a verdict', () => {
  test('is told to gossip with the sender as text', () => {
    const { pubsub, router } = openFakeGossip(TOPIC)
    for (const verdict of VERDICTS) pubsub.settle(TOPIC, `ticket ${verdict}`, 'sender', verdict)
    assert.deepEqual(
      router.reports.map(({ ticket, source, verdict }) => [ticket, source, verdict]),
      [
        ['ticket accept', 'sender', 'accept'],
        ['ticket ignore', 'sender', 'ignore'],
        ['ticket reject', 'sender', 'reject'],
      ],
    )
  })

  for (const failure of [undefined, new Error('a bug')]) {
    test(`passes on to all subscribers where that is wanted, and the mesh is as before${failure ? ', also when it fails' : ''}`, () => {
      const { pubsub, router } = openFakeGossip(TOPIC, { toAll: true })
      router.join('a', 'b', 'c')
      router.mesh.set(TOPIC, new Set(['a']))
      router.failure = failure
      const settle = () => pubsub.settle(TOPIC, 'ticket', 'sender', 'accept')
      if (failure === undefined) settle()
      else assert.throws(settle, failure)
      assert.deepEqual(router.reports[0]?.mesh, ['a', 'b', 'c'])
      assert.deepEqual(router.getMeshPeers(TOPIC), ['a'])
    })
  }

  test('other than accept concerns nobody else', () => {
    const { pubsub, router } = openFakeGossip(TOPIC, { toAll: true })
    router.join('a', 'b')
    router.mesh.set(TOPIC, new Set(['a']))
    pubsub.settle(TOPIC, 'ticket', 'sender', 'reject')
    assert.deepEqual(router.reports[0]?.mesh, ['a'])
  })
})

describe('an answer to IWANT', () => {
  const third = Math.floor(GOSSIP_FRAME_MAX_BYTES / 3)
  const cases: { id: string; sizes: number[]; sent: boolean[] }[] = [
    { id: 'small messages', sizes: [10, 20, 30], sent: [true, true, true] },
    { id: 'more than fits', sizes: [third, third, third], sent: [true, true, false] },
    {
      id: 'a small one after one that does not fit',
      sizes: [third, third, third, 10],
      sent: [true, true, false, true],
    },
    { id: 'the largest message alone', sizes: [GOSSIP_FRAME_MAX_BYTES - 1_024], sent: [true] },
    {
      id: 'a message that nobody can carry is not held back',
      sizes: [2 * GOSSIP_FRAME_MAX_BYTES],
      sent: [true],
    },
  ]
  for (const { id, sizes, sent } of cases) {
    test(`holds what fits into one frame: ${id}`, () => {
      const { router, dropped } = openFakeGossip(TOPIC)
      for (const [index, size] of sizes.entries()) router.cached.set(`${index}`, size)
      const found = sizes.map((_, index) => router.mcache.getWithIWantCount(`${index}`, 'a') !== null)
      assert.deepEqual(found, sent)
      assert.equal(dropped('answer-full'), sent.filter(isSent => !isSent).length)
    })
  }

  test('is measured anew for each peer, and each time', async () => {
    const { router } = openFakeGossip(TOPIC)
    router.cached.set('large', GOSSIP_FRAME_MAX_BYTES - 1_024)
    const ask = (peer: string) => router.mcache.getWithIWantCount('large', peer) !== null
    assert.equal(ask('a'), true)
    assert.equal(ask('a'), false)
    assert.equal(ask('b'), true)
    await settleMicrotasks()
    assert.equal(ask('b'), true)
    assert.equal(router.mcache.getWithIWantCount('unknown', 'b'), null)
  })
})
