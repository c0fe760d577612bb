/**
 * Three nodes that are told the addresses of all, their own too; the third is of another network. Prints who was
 * connected with whom within two hours and a half, when the first dialled the third, and how often anyone dialled itself.
 */
import { PeersNet, report } from './peers-net.ts'

const dials: number[] = []
let ownDials = 0
const net = await PeersNet.make({
  seed: 'strangers',
  count: 3,
  config: index => ({ network: index === 2 ? 'other' : 'ours' }),
  bootstrap: () => [0, 1, 2],
  onTrace: line => {
    const [, atMs, from, to] = /^(\S+) syn (\S+)>(\S+)$/.exec(line) ?? []
    if (from === 'n0' && to === 'n2') dials.push(Math.round(Number(atMs) / 1_000))
    if (from !== undefined && from === to) ownDials++
  },
})
const { world, nodes } = net
await world.start(nodes)
const pairs = new Set<string>()
await net.watch(150 * 60_000, 1_000, () => {
  for (const node of nodes) for (const { name } of net.neighbours(node)) pairs.add(`${node.name} ${name}`)
})
report({ pairs: [...pairs].sort(), dials, ownDials })
