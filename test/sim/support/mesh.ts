/**
 * A run with a bit of everything: messages with signatures, jitter, slow start, a partition, a crash, a restart, a
 * wrong clock. Prints the hash of its trace.
 *
 *   mesh.ts SEED [load]    with `load`, other work takes turns with the events for random real times
 */
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'

const { reality } = installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')

const TOPIC = 'mesh'
const [seed = '', load] = process.argv.slice(2)
let isRunning = true

/** Holds the thread for up to 2 ms between events, by the last digits of the real clock. */
function disturb(): void {
  const untilMs = reality.nowMs() + ((reality.nowMs() * 1_000) % 2)
  while (reality.nowMs() < untilMs);
  if (isRunning) reality.setImmediate(disturb)
}
if (load === 'load') disturb()

const world = new World({
  seed,
  latencyMs: (from, to) => 20 + from.length + 5 * to.length,
  jitterMs: 10,
  slowStart: true,
})
const { random } = world.process
const accepted = new Map<string, number>()
const nodes: SimNode[] = []
for (let index = 0; index < 12; index++) {
  const node = await world.add({
    name: `n${index}`,
    upBitsPerSecond: 10_000_000,
    downBitsPerSecond: 50_000_000,
    skewMs: index * 100,
    config: { gossip: { signing: 'strict' } },
    setUp: (made, { name }) =>
      made.subscribe(TOPIC, async () => {
        await new Promise(resolve => setTimeout(resolve, Math.random() * 20))
        // Real work of unknown length, with virtual time at a stand.
        await world.offload(() => new Promise<void>(resolve => reality.setImmediate(() => resolve())))
        accepted.set(name, (accepted.get(name) ?? 0) + 1)
        return 'accept' as const
      }),
  })
  nodes.push(node)
}
await world.start(nodes)
await world.connect(
  nodes.flatMap((node, index) => [1, 3, 5].map(step => [node, nodes[(index + step) % 12] ?? node] as const)),
)

async function traffic(forMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 500) {
    const running = nodes.filter(node => node.node !== undefined)
    const payload = new Uint8Array(1 + random.below(40_000))
    random.fill(payload)
    running[random.below(running.length)]?.call(node => node.propagate(TOPIC, payload)).catch(() => {})
    await world.run(500)
  }
}

await traffic(4_000)
world.partition([nodes.slice(0, 6), nodes.slice(6)])
await traffic(4_000)
world.heal()
nodes[3]?.crash()
await traffic(3_000)
nodes[3]?.setSkew(-5_000)
await world.start(nodes.slice(3, 4))
await world.connect([[nodes[3] as SimNode, nodes[4] as SimNode]])
await traffic(3_000)
await world.stop(nodes)
isRunning = false
process.stdout.write(
  JSON.stringify({
    hash: world.trace.hash(),
    lines: world.trace.lines,
    accepted: [...accepted.values()].reduce((sum, count) => sum + count, 0),
  }),
)
