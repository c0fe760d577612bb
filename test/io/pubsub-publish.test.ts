/**
 * When `publish` sends and when it waits, against a gossipsub made by hand and with timers that the test fires.
 */
import assert from 'node:assert/strict'
import { describe, mock, type TestContext, test } from 'node:test'
import { messageId } from '../../src/core/hash.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { OUTBOUND_BUFFER_BYTES, openFakeGossip } from './fake-gossip.ts'

const TOPIC = 'tx'

const publishing = (opened: ReturnType<typeof openFakeGossip>, text: string, toAll = false, topic = TOPIC) =>
  opened.pubsub.publish(topic, Buffer.from(text), { id: messageId(topic, Buffer.from(text)), toAll })

const texts = ({ router }: ReturnType<typeof openFakeGossip>): string[] =>
  router.published.map(({ text }) => text)

describe('publish', () => {
  for (const toAll of [true, false]) {
    test(`goes to ${toAll ? 'all subscribers' : 'the mesh'}`, async () => {
      const opened = openFakeGossip(TOPIC, { toAll })
      opened.router.join('a', 'b')
      assert.deepEqual(await publishing(opened, 'text', toAll), { recipients: 2, seen: false })
      assert.deepEqual(opened.router.published, [{ topic: TOPIC, text: 'text', flood: toAll }])
    })
  }

  test('of what gossip knows is no error, every other failure is', async () => {
    const opened = openFakeGossip(TOPIC)
    opened.router.join('a')
    opened.router.failure = new Error('PublishError.Duplicate')
    assert.deepEqual(await publishing(opened, 'text'), { recipients: 0, seen: true })
    opened.router.failure = new Error('PublishError.Uninitialized')
    await assert.rejects(publishing(opened, 'text'), /Uninitialized/)
  })
})

/** Timers that fire when the test says so. */
function holdTimers(t: TestContext): (ms: number) => Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  return async ms => {
    for (let passedMs = 0; passedMs < ms; passedMs += 10) {
      mock.timers.tick(10)
      await settleMicrotasks()
    }
  }
}

const FULL = OUTBOUND_BUFFER_BYTES / 2 + 1

describe('publish waits', () => {
  test('for nobody once it is stopped', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    opened.router.join('a')
    opened.router.fill('a', FULL)
    const result = publishing(opened, 'text')
    await pass(50)
    assert.equal(opened.router.published.length, 0)
    await opened.pubsub.stop()
    const ended = assert.rejects(result, { code: 'STOPPED' })
    await pass(10)
    await ended
    assert.equal(opened.router.published.length, 0)
  })

  const cases: { id: string; full: string[]; cut: string[]; waits: boolean }[] = [
    { id: 'nobody is behind', full: [], cut: [], waits: false },
    { id: 'one of three is behind', full: ['a'], cut: [], waits: false },
    { id: 'two of three are behind', full: ['a', 'b'], cut: [], waits: true },
    { id: 'one is behind of the two whose streams stand', full: ['a'], cut: ['c'], waits: false },
    { id: 'the only one is behind whose stream stands', full: ['a'], cut: ['b', 'c'], waits: true },
    { id: 'all streams are cut', full: [], cut: ['a', 'b', 'c'], waits: false },
  ]
  for (const { id, full, cut, waits } of cases) {
    test(`${waits ? 'when' : 'not when'} ${id}`, async t => {
      const pass = holdTimers(t)
      const opened = openFakeGossip(TOPIC)
      const { router, metrics } = opened
      router.join('a', 'b', 'c')
      for (const name of full) router.fill(name, FULL)
      for (const name of cut) router.streamsOutbound.delete(name)
      const result = publishing(opened, 'text')
      await pass(100)
      assert.equal(router.published.length, waits ? 0 : 1)
      assert.equal(metrics.read().floodgate_publish_waits_total ?? 0, waits ? 1 : 0)
      for (const name of full) router.fill(name, 0)
      await pass(10)
      await result
      assert.equal(router.published.length, 1)
    })
  }

  test('also for the receivers of a topic without a subscription', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    const { router } = opened
    router.join('a')
    router.fanout.set('other', new Set(['a']))
    router.fill('a', FULL)
    const result = publishing(opened, 'text', false, 'other')
    await pass(100)
    assert.equal(router.published.length, 0)
    router.fill('a', 0)
    await pass(10)
    await result
  })

  test('and messages leave in their order', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    const { router } = opened
    router.join('a')
    router.fill('a', FULL)
    const results = ['1', '2', '3'].map(text => publishing(opened, text))
    await pass(50)
    router.fill('a', 0)
    results.push(publishing(opened, '4'))
    await pass(50)
    await Promise.all(results)
    assert.deepEqual(texts(opened), ['1', '2', '3', '4'])
    await publishing(opened, '5')
    assert.deepEqual(texts(opened).at(-1), '5', 'the line does not end')
  })

  test('but no longer than ten seconds', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    opened.router.join('a')
    opened.router.fill('a', FULL)
    const result = publishing(opened, 'text')
    await pass(9_900)
    assert.equal(opened.router.published.length, 0)
    await pass(200)
    assert.deepEqual(await result, { recipients: 1, seen: false })
  })

  test('for the first subscriber while a connection is young', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    opened.world.isSettling = true
    const result = publishing(opened, 'text')
    await pass(500)
    assert.equal(opened.router.published.length, 0)
    opened.router.join('a')
    assert.deepEqual(await result, { recipients: 1, seen: false })
  })

  test('but not for ever, and not when no connection is young', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    assert.deepEqual(await publishing(opened, 'alone'), { recipients: 0, seen: false })
    opened.world.isSettling = true
    const result = publishing(opened, 'unheard')
    await pass(2_000)
    assert.deepEqual(await result, { recipients: 0, seen: false })
    // Gossip would keep it for seconds, and answer that it is known when it is propagated again.
    assert.deepEqual(texts(opened), [])
  })
})
