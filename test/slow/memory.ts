/**
 * Memory stays flat while messages pass: nothing is kept of them once gossip has let go its history, and its memory
 * of ids, which goes by the calendar, has run out.
 *
 * `MEMORY_MESSAGES` sets another number of messages than 100,000.
 */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Node } from '../../src/index.ts'
import { connectLine, startNodes, TOPIC, untilMeshed } from '../e2e/support/nodes.ts'
import { sumOf } from '../e2e/support/samples.ts'
import { until } from '../e2e/support/until.ts'

const MESSAGES = Number(process.env.MEMORY_MESSAGES ?? 100_000)
const WINDOW = 1_000
const PAYLOAD_BYTES = 2_048

/** What both nodes together may keep of a message. One entry in a map with its key is about as much. */
const KEPT_BYTES_MAX = 100

/** Longer than gossipsub's 30 s for ids and 120 s for who delivered what. */
const FORGOTTEN_AFTER_MS = 200_000

/** A short history, so that payloads are due to go soon; and few of our own ids, which have their own bound. */
const config = {
  gossip: { heartbeatMs: 100, historyLength: 10, seenMax: 1_000 },
  // What is kept for those who ask has a bound of its own, and a minute.
  topicDefaults: { verdictTimeoutMs: 400, keepMaxBytes: 0 },
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Bytes in use by objects and by buffers. */
function usedBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Runs `measure` at a time at which gossipsub has no use left for what it knew of messages. */
async function muchLater<T>(nodes: readonly Node[], measure: () => Promise<T>): Promise<T> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + FORGOTTEN_AFTER_MS })
  try {
    for (const node of nodes) {
      await until('gossip has let go what it kept', async () => {
        const metrics = await node.metrics()
        const ids = sumOf(metrics, 'gossipsub_cache_size', { cache: 'seenCache' })
        return ids + sumOf(metrics, 'gossipsub_mcache_size') === 0
      })
    }
    return await measure()
  } finally {
    mock.timers.reset()
  }
}

/** The least that is used within some time: gossipsub clears its records once a second. */
async function leastUsedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let sample = 0; sample < 10; sample++) {
    least = Math.min(least, usedBytes())
    await pause(250)
  }
  return least
}

test('memory does not grow with the messages that pass', { timeout: 180_000 }, async t => {
  const nodes = (await startNodes(t, 2, config)) as [Node, Node]
  const [sender, receiver] = nodes
  for (const node of nodes) node.subscribe(TOPIC, () => 'accept')
  await connectLine(nodes)
  await untilMeshed(nodes)

  let sent = 0
  const sendHalf = async (): Promise<void> => {
    const half = sent + MESSAGES / 2
    while (sent < half) {
      const payloads = Array.from({ length: WINDOW }, () => Buffer.alloc(PAYLOAD_BYTES, `${sent++} `))
      await Promise.all(payloads.map(payload => sender.propagate(TOPIC, payload)))
      await until('the receiver has them', () => receiver.topicStats(TOPIC)?.accepted === sent)
    }
  }
  const startedMs = performance.now()
  await sendHalf()
  const perSecond = Math.round((sent * 1_000) / (performance.now() - startedMs))
  const first = await muchLater(nodes, leastUsedBytes)
  await sendHalf()
  let keptBytes = Number.POSITIVE_INFINITY
  const isFlat = (): boolean => {
    keptBytes = Math.round((usedBytes() - first) / (MESSAGES / 2))
    return keptBytes < KEPT_BYTES_MAX
  }
  await muchLater(nodes, () => until('memory is as it was', isFlat)).finally(() => {
    t.diagnostic(
      `${MESSAGES} messages, ${perSecond} a second: ${keptBytes} bytes more for each of the second half`,
    )
  })
  assert.equal(receiver.topicStats(TOPIC)?.accepted, MESSAGES)
})
