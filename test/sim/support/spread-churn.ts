/** What is spread while nodes and lines come and go, case by case. */
import type { TopicOptions } from '../../../src/core/upper.ts'
import { payloadOf, runCases, SpreadNet } from './spread-net.ts'

const SWARM: TopicOptions = { mode: 'swarm', quickVerify: () => true }
const AUTO: TopicOptions = { mode: 'auto', quickVerify: () => true }
const UP = 20_000_000

/** Joins two circles by nothing but their members' own links. */
const CIRCLES: (readonly [number, number])[] = [
  [0, 1],
  [1, 2],
  [2, 0],
  [3, 4],
  [4, 5],
  [5, 3],
  [0, 3],
  [1, 4],
  [2, 5],
]

async function joinsLate(name: string, topic: TopicOptions, sizeBytes: number) {
  const net = await SpreadNet.open(name, { count: 4, topic })
  const payload = payloadOf(name, sizeBytes)
  await net.propagate(0, payload)
  await net.until(payload, 3, 20_000)
  await net.world.run(10_000)
  const late = await net.add()
  await net.world.start([late])
  await net.connect([[4, 2]])
  const ms = await net.until(payload, 4, 30_000)
  const found = { ms, reached: net.reached(payload), blamed: net.blamed(), repeats: net.repeats }
  await net.close()
  return found
}

/** A node connects, or crashes, while a swarm is under way. */
async function inTheMiddle(
  name: string,
  act: (net: SpreadNet) => Promise<void>,
  expected: readonly number[],
) {
  const place = () => ({ upBitsPerSecond: UP, downBitsPerSecond: UP })
  const net = await SpreadNet.open(name, { count: 8, topic: SWARM, place })
  const payload = payloadOf(name, 500_000)
  await net.propagate(0, payload)
  await net.world.run(300)
  const before = net.reached(payload).length
  await act(net)
  const ms = await net.until(payload, expected.length, 30_000)
  await net.world.run(2_000)
  const found = { before, ms, reached: net.reached(payload), worst: net.worstScore(), repeats: net.repeats }
  await net.close()
  return found
}

/** Both halves send while the line between them is down for 30 s. */
async function partition(name: string, topic: TopicOptions, sizes: readonly number[]) {
  const net = await SpreadNet.open(name, { count: 6, topic, links: CIRCLES })
  const { world } = net
  world.partition([net.nodes.slice(0, 3), net.nodes.slice(3)])
  const sent: { payload: Uint8Array; from: number }[] = []
  for (const [number, sizeBytes] of sizes.entries()) {
    for (const from of [number % 3, 3 + (number % 3)]) {
      const payload = payloadOf(`${name} ${number} ${from}`, sizeBytes)
      sent.push({ payload, from })
      await net.propagate(from, payload)
    }
    await world.run(30_000 / sizes.length)
  }
  const before = sent.map(({ payload }) => net.reached(payload).length)
  world.heal()
  const healedMs = world.nowMs
  const again = async (): Promise<void> => {
    await net.connect([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
  }
  await again().catch(() => {})
  for (const { payload } of sent) await net.until(payload, 5, 60_000)
  const found = {
    before: [...new Set(before)],
    ms: world.nowMs - healedMs,
    reached: sent.map(({ payload }) => net.reached(payload).length),
    worst: net.worstScore(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

/** Everybody's time, with and without one whose line is slow. */
async function slowPeer(name: string, topic: TopicOptions, slow: number | undefined) {
  const place = (index: number) =>
    index === slow
      ? { upBitsPerSecond: 500_000, downBitsPerSecond: 500_000 }
      : { upBitsPerSecond: UP, downBitsPerSecond: UP }
  const net = await SpreadNet.open(name, { count: 8, topic, place })
  const times: number[] = []
  for (let number = 0; number < 4; number++) {
    const payload = payloadOf(`${name} ${number}`, 300_000)
    const atMs = net.world.nowMs
    await net.propagate(number, payload)
    await net.world.run(1_500)
    const others = [0, 1, 2, 3, 4, 5, 6].filter(index => index !== number)
    times.push(Math.max(...others.map(index => (net.reachedAtMs(payload, index) ?? Infinity) - atMs)))
  }
  const found = { times: times.map(Math.round), worst: net.worstScore(), blamed: net.blamed() }
  await net.close()
  return found
}

await runCases({
  'a swarm': () => joinsLate('late-swarm', SWARM, 100_000),
  'an asked message': () => joinsLate('late-ask', { mode: 'ask' }, 1_000),
  'a flooded message': () => joinsLate('late-flood', { mode: 'flood' }, 1_000),
  'joins in the middle': () =>
    inTheMiddle(
      'joins',
      async net => {
        const late = await net.add()
        await net.world.start([late])
        await net.connect([
          [8, 2],
          [8, 3],
        ])
      },
      [1, 2, 3, 4, 5, 6, 7, 8],
    ),
  'leaves in the middle': () =>
    inTheMiddle('leaves', net => net.world.stop([net.node(3)]), [1, 2, 4, 5, 6, 7]),
  'crashes in the middle': () => inTheMiddle('crashes', async net => net.node(3).crash(), [1, 2, 4, 5, 6, 7]),
  'partition, auto': () => partition('part-auto', AUTO, [200, 6_000, 100_000, 300, 20_000, 150_000]),
  'partition, ask': () => partition('part-ask', { mode: 'ask' }, [200, 300, 400]),
  'partition, flood': () => partition('part-flood', { mode: 'flood' }, [200, 300, 400]),
  'without a slow peer': () => slowPeer('fast', SWARM, undefined),
  'with a slow peer': () => slowPeer('slow', SWARM, 7),
})
