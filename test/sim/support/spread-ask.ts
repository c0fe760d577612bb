/** Faults of announcers in mode `ask`, case by case. */
import { messageId, messageKey } from '../../../src/core/hash.ts'
import { encodeItems } from '../../../src/gossip/announcement.ts'
import { payloadOf, runCases, SpreadNet } from './spread-net.ts'

const NODES = 3

const ASK = { topic: { mode: 'ask' as const } }

/** Announces a payload, of which an honest node has a copy, too; what the hostile peer does when asked is the case. */
async function rivals(
  name: string,
  onAsk: (
    net: SpreadNet,
    hostile: Awaited<ReturnType<SpreadNet['hostile']>>,
    payload: Uint8Array,
  ) => Promise<void>,
  victims: readonly number[] = [0, 1, 2, 3],
) {
  const net = await SpreadNet.open(name, { count: 4, ...ASK })
  const hostile = await net.hostile('h', victims)
  const payload = payloadOf(name, 300)
  await onAsk(net, hostile, payload)
  // Its own announcement reaches them second.
  await net.propagate(0, payload)
  const ms = await net.until(payload, 3, 20_000)
  await net.world.run(2_000)
  const found = {
    ms,
    asked: hostile.askCount,
    reached: net.reached(payload),
    blamed: net.blamed(new Map([[hostile.peer, 'hostile']])),
    worst: net.worstScore(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

async function tenThousand() {
  const up = 20_000_000
  const net = await SpreadNet.open('many', {
    count: NODES,
    ...ASK,
    place: () => ({ upBitsPerSecond: up, downBitsPerSecond: up }),
  })
  const { world } = net
  const indices = net.nodes.map((_, index) => index)
  let sequence = 0
  const honest = async (): Promise<{ count: number; lost: number; p50: number; p99: number }> => {
    const sent: { payload: Uint8Array; atMs: number; from: number }[] = []
    for (let round = 0; round < 40; round++) {
      const from = sequence % NODES
      const payload = payloadOf(`honest ${sequence++} `, 250)
      sent.push({ payload, atMs: world.nowMs, from })
      await net.propagate(from, payload)
      await world.run(50)
    }
    await world.run(3_000)
    const times = sent
      .flatMap(({ payload, atMs, from }) =>
        indices.filter(at => at !== from).map(at => (net.reachedAtMs(payload, at) ?? Infinity) - atMs),
      )
      .sort((a, b) => a - b)
    const at = (share: number): number => Math.round(times[Math.floor(times.length * share)] ?? -1)
    return {
      count: times.length,
      lost: times.filter(ms => ms === Infinity).length,
      p50: at(0.5),
      p99: at(0.99),
    }
  }
  const quiet = await honest()
  const hostile = await net.hostile('h', indices)
  let announced = 0
  const flood = (): void => {
    for (let one = 0; one < 200 && announced < 10_000; one++, announced++) {
      const items = [0, 1, 2, 3].map(part => ({
        id: messageId(net.topic, Buffer.from(`nothing ${announced} ${part}`)),
        sizeBytes: 250,
      }))
      hostile.publishLater(encodeItems(items))
    }
    if (announced < 10_000) world.at(world.nowMs + 100, flood)
  }
  flood()
  const loud = await honest()
  const waiting: number[] = []
  const overflow: number[] = []
  for (const index of indices) {
    waiting.push(await net.metric(index, 'floodgate_asks_waiting', `topic="${net.topic}"`))
    overflow.push(await net.metric(index, 'floodgate_asks_total', 'result="overflow"'))
  }
  const found = {
    announced,
    quiet,
    loud,
    waiting: Math.max(...waiting),
    overflow: Math.min(...overflow),
    asked: hostile.askCount,
    scores: indices.map(index => net.score(index, hostile.peer)),
    blamed: net.blamed(new Map([[hostile.peer, 'hostile']])),
    worst: net.worstScore(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

await runCases({
  'the announcer vanishes': () =>
    rivals('vanishes', async (net, hostile, payload) => {
      await hostile.announce([payload])
      await net.world.run(100)
      await hostile.vanish()
    }),
  'the announcer stalls': () =>
    rivals('stalls', async (net, hostile, payload) => {
      await hostile.announce([payload])
      await net.world.run(100)
    }),
  'the announcer lacks it': () =>
    rivals('lacks', async (net, hostile, payload) => {
      hostile.onAsk = (from, { ask }) => {
        if (ask.length > 0) hostile.sendAsk(from, { lack: ask })
      }
      await hostile.announce([payload])
      await net.world.run(100)
    }),
  'the announcer sends a wrong payload': () =>
    rivals('wrong', async (net, hostile, payload) => {
      hostile.onAsk = (from, { ask }) => {
        if (ask.length > 0) hostile.sendAsk(from, { payloads: [payloadOf('spoilt', 300)] })
      }
      await hostile.announce([payload])
      await net.world.run(100)
    }),
  'the announcer lies about the size': () =>
    rivals('size', async (net, hostile, payload) => {
      hostile.onAsk = (from, { ask }) => {
        const wanted = messageKey(messageId(net.topic, payload))
        if (ask.includes(wanted)) hostile.sendAsk(from, { payloads: [payload] })
      }
      await hostile.publish(encodeItems([{ id: messageId(net.topic, payload), sizeBytes: 1_000 }]))
      await net.world.run(2_000)
    }),
  'the announcer is gone when another one announces': () =>
    rivals('late', async (net, hostile, payload) => {
      await hostile.announce([payload])
      // Given up after eight asks.
      await net.world.run(8_000)
      await hostile.vanish()
    }),
  'the announcement has failed before another one makes it': () =>
    rivals(
      'echo',
      async (net, hostile, payload) => {
        await hostile.announce([payload])
        await net.world.run(8_000)
      },
      [1, 2, 3],
    ),
  'ten thousand': tenThousand,
})
