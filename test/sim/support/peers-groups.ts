/**
 * 16 nodes in six network groups find each other, lose nodes and get them back. Prints how many outbound
 * connections a node had in one group at any moment, and what shows that there were choices to make.
 *
 *   peers-groups.ts all|routable    the rules of groups; `routable` exempts these nodes, whose addresses are private
 */
import { PeersNet, report } from './peers-net.ts'

const GROUPS = 6
const groupRules = process.argv[2] === 'all' ? 'all' : 'routable'
const network = groupRules === 'all' ? 44 : 10

const net = await PeersNet.make({
  seed: 'groups',
  count: 16,
  ip: index => `${network}.${index % GROUPS}.0.${1 + Math.floor(index / GROUPS)}`,
  config: () => ({
    connections: {
      groupRules,
      // Fewer places than groups, and much change: rotation and feelers have something to do.
      outboundTarget: 4,
      anchors: 1,
      rotationMinMs: 2_000,
      rotationMaxMs: 4_000,
      feelerPeriodMs: 5_000,
    },
  }),
  bootstrap: index => [0, 1, 2].filter(other => other !== index),
})
const { world, nodes } = net

let inOneGroup = 0
const had = new Map(nodes.map(node => [node, new Set<string>()]))
function look(): void {
  for (const node of net.live()) {
    const counts = new Map<string, number>()
    for (const { group, peer } of net.automatic(node)) {
      counts.set(group, (counts.get(group) ?? 0) + 1)
      had.get(node)?.add(peer)
    }
    inOneGroup = Math.max(inOneGroup, ...counts.values())
  }
}

await world.start(nodes)
await net.watch(25_000, 250, look)
const crashed = nodes.slice(4, 7)
for (const node of crashed) node.crash()
await net.watch(20_000, 250, look)
await world.start(crashed)
await net.watch(20_000, 250, look)

const places = nodes.map(node => net.automatic(node).length)
report({
  inOneGroup,
  parts: net.parts(),
  places: places.reduce((sum, count) => sum + count, 0),
  /** How many peers they have had in these places. */
  peers: [...had.values()].reduce((sum, { size }) => sum + size, 0),
})
