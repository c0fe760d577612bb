/**
 * The line in the simulator, with TCP's slow start. A program, as virtual globals are for the whole of a process: it
 * prints the journeys of all messages as JSON.
 */
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'
import { BEAT_MS, LINE, SENDS } from './schedule.ts'

installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')

const TOPIC = 'line'

const world = new World({ seed: 'line', latencyMs: () => LINE.latencyMs, slowStart: true })
const nodes: SimNode[] = []
const sending: unknown[] = []
const journeys: { readonly sentMs: number; readonly arrivedMs: number[] }[] = []
for (let index = 0; index < LINE.nodes; index++) {
  const node = await world.add({
    name: `n${index + 1}`,
    upBitsPerSecond: LINE.upMbit * 1_000_000,
    config: { onlyPeers: true },
    setUp: made =>
      made.subscribe(
        TOPIC,
        ({ payload }) => {
          const journey = journeys[Buffer.from(payload).readUInt32BE()]
          if (journey !== undefined) journey.arrivedMs[index - 1] = world.nowMs - journey.sentMs
          return 'accept'
        },
        { mode: 'flood', maxPayloadBytes: LINE.sizeBytes },
      ),
  })
  nodes.push(node)
}
await world.start(nodes)
for (const [index, node] of nodes.entries()) {
  const before = nodes[index - 1]
  if (before !== undefined) await world.connect([[node, before]])
}
// Until everyone is in the others' meshes.
await world.run(10_000)
for (const isSent of SENDS) {
  if (isSent) {
    const payload = Buffer.alloc(LINE.sizeBytes)
    payload.writeUInt32BE(journeys.length)
    journeys.push({ sentMs: world.nowMs, arrivedMs: [] })
    sending.push(nodes[0]?.call(node => node.propagate(TOPIC, payload)))
  }
  await world.run(BEAT_MS)
}
// Until the last has arrived.
await world.run(10_000)
await Promise.all(sending)
process.stdout.write(JSON.stringify(journeys.map(journey => journey.arrivedMs)))
