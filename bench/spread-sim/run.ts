/**
 * One run, in a process of its own: `node run.ts '<Course as JSON>'`. Prints an `Outcome` as JSON.
 *
 *   0 ── warm-up ── message ── all have it ── as long again ── next message …
 *
 * The traffic of a message is what is sent from its sending on until as long again as it took: copies that nobody
 * needs any more are on their way then.
 */
import assert from 'node:assert/strict'
import { installVirtualGlobals } from '../../src/sim/globals.ts'
import type { Course, Outcome, Passage } from './course.ts'

const { reality } = installVirtualGlobals()
const { Random } = await import('../../src/core/random.ts')
const { population } = await import('../../src/sim/population.ts')
const { regionsOf } = await import('../../src/sim/regions.ts')
const { World } = await import('../../src/sim/world.ts')
const { BareCrowd } = await import('./bare.ts')
const { NodeCrowd } = await import('./nodes.ts')

const WARM_UP_MS = 30_000
const START_WITHIN_MS = 20_000
const STRIDE_MS = 250
const ARRIVE_WITHIN_MS = 300_000
const SETTLE_MIN_MS = 3_000

const MBIT = 1_000_000
const NETWORKS = {
  home: { classes: { home: { up: 20 * MBIT, down: 100 * MBIT } }, latency: 50, slowStart: false },
  world: {
    classes: {
      home: { share: 0.8, up: 50 * MBIT, down: 50 * MBIT },
      server: { share: 0.2, up: 1_000 * MBIT, down: 1_000 * MBIT },
    },
    regions: { preset: 'world8' as const },
    slowStart: true,
  },
}

const course = JSON.parse(process.argv[2] ?? '') as Course
const { classes, slowStart, ...where } = NETWORKS[course.lines]
const regions = regionsOf(where)
const places = new Map<string, string>()
const world = new World({
  seed: course.seed,
  slowStart,
  latencyMs: (from, to) => regions.latencyMs(places.get(from) ?? '', places.get(to) ?? ''),
})
const shape = {
  count: course.nodes,
  connect: course.connect,
  shape: 'random' as const,
  bootstraps: 1,
  acquainted: true,
  discovery: 'off' as const,
  config: {},
}
// The same graph and lines for all variants of a seed.
const random = new Random(`${course.seed}/spread`)
const members = population({ nodes: shape, classes }, regions, random)
for (const { name, region } of members) places.set(name, region)

/** By node: when the current message came. */
let arrivedMs = new Map<number, number>()
let sequence = 0
const onArrival = (index: number, payload: Uint8Array): void => {
  if (payload[0] === sequence && !arrivedMs.has(index)) arrivedMs.set(index, world.nowMs)
}
const crowd =
  course.variant === 'bare'
    ? new BareCrowd(world, members, onArrival)
    : new NodeCrowd(world, members, course.variant, onArrival)

async function pass(): Promise<Passage> {
  const payload = new Uint8Array(course.sizeBytes)
  random.fill(payload)
  payload[0] = ++sequence
  arrivedMs = new Map()
  const origin = random.below(members.length)
  const [sentAtMs, bytesBefore] = [world.nowMs, crowd.sentBytes()]
  crowd.publish(origin, payload)
  const others = (): number => arrivedMs.size - Number(arrivedMs.has(origin))
  while (others() < members.length - 1) {
    await world.run(STRIDE_MS)
    assert.ok(world.nowMs - sentAtMs < ARRIVE_WITHIN_MS, `only ${others()} nodes have message ${sequence}`)
  }
  await world.run(Math.max(SETTLE_MIN_MS, world.nowMs - sentAtMs))
  arrivedMs.delete(origin)
  const tookMs = Float64Array.from(arrivedMs.values(), atMs => atMs - sentAtMs).sort()
  const quantile = (share: number): number => tookMs[Math.ceil(share * tookMs.length) - 1] ?? Number.NaN
  return {
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    allMs: quantile(1),
    copies: (crowd.sentBytes() - bytesBefore) / ((members.length - 1) * course.sizeBytes),
  }
}

await world.until(crowd.start(), START_WITHIN_MS)
await world.runUntil(WARM_UP_MS)
const passages: Passage[] = []
while (passages.length < course.messages) passages.push(await pass())
const outcome: Outcome = {
  passages,
  connections: crowd.connections(),
  cpuSeconds: Math.round(reality.cpuSeconds() * 10) / 10,
}
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0))
