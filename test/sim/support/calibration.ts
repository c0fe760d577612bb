/**
 * 1 MB over 20 Mbit/s and 50 ms, through whole nodes whose handlers accept at once.
 *
 *   calibration.ts line    five nodes in a line: when each has it, in milliseconds since it was sent
 *   calibration.ts star    a node and eight receivers, all at once: the same
 */
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'

installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')

const TOPIC = 'calibration'
const [shape] = process.argv.slice(2)

const world = new World({ seed: 'calibration', latencyMs: () => 50 })
const arrivedMs: number[] = []
const nodes: SimNode[] = []
for (let index = 0; index < (shape === 'star' ? 9 : 5); index++) {
  const node = await world.add({
    name: `n${index}`,
    upBitsPerSecond: 20_000_000,
    // Who is connected to whom is part of what is measured.
    config: { onlyPeers: true, topics: { [TOPIC]: { floodDegree: 'all' } } },
    setUp: made =>
      made.subscribe(TOPIC, () => {
        arrivedMs.push(world.nowMs)
        return 'accept'
      }),
  })
  nodes.push(node)
}
await world.start(nodes)
for (const [index, node] of nodes.entries()) {
  const from = shape === 'star' ? nodes[0] : nodes[index - 1]
  if (index > 0 && from !== undefined) await world.connect([[from, node]])
}
// Until everyone is in the others' meshes.
await world.run(10_000)
const startMs = world.nowMs
const sent = nodes[0]?.call(node => node.propagate(TOPIC, new Uint8Array(1_000_000)))
await world.run(10_000)
await sent
process.stdout.write(JSON.stringify(arrivedMs.map(atMs => atMs - startMs)))
