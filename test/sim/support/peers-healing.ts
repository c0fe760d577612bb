/**
 * 24 nodes that are split for a minute. They want so few outbound connections that each part can give its nodes all of
 * them: nobody misses anything, and yet they must find together again.
 *
 *   peers-healing.ts halves     a network is split in two
 *   peers-healing.ts islands    three parts have never met, and know some addresses of each other
 */
import { PeersNet, report } from './peers-net.ts'

const shape = process.argv[2]
const TARGET = shape === 'halves' ? 4 : 2
const SPLIT_MS = 60_000

const net = await PeersNet.make({
  seed: `healing/${shape}`,
  count: 24,
  config: () => ({ connections: { outboundTarget: TARGET, anchors: 1 } }),
  // Spread evenly: a node that everyone has dialled would lack somebody to dial, and go on looking.
  bootstrap: index => [1, 4, 9].map(step => (index + step) % 24),
})
const { world, nodes } = net
const parts =
  shape === 'halves'
    ? [nodes.slice(0, 12), nodes.slice(12)]
    : [0, 1, 2].map(part => nodes.filter((_, index) => index % 3 === part))

if (shape === 'halves') {
  await world.start(nodes)
  await world.run(30_000)
}
const partsBefore = net.parts()
world.partition(parts)
if (shape !== 'halves') await world.start(nodes)
await world.run(SPLIT_MS)
const split = {
  parts: net.parts(),
  missed: [await net.missed(net.node(0)), await net.missed(net.node(13))],
  content: nodes.filter(node => net.automatic(node).length >= TARGET).length,
}
world.heal()
const mergedMs = await net.until(120_000, () => net.parts() === 1)
const healedMs = 60_000
await world.run(Math.max(0, healedMs - (mergedMs ?? 0)))
const missed: number[] = []
for (const [first] of parts) if (first !== undefined) missed.push(await net.missed(first))
report({ partsBefore, split, mergedMs, missed })
