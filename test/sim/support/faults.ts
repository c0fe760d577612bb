/** What whole nodes see of partitions, crashes and cuts, as one JSON value. */
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'

installVirtualGlobals()
const { World } = await import('../../../src/sim/world.ts')

const TOPIC = 'faults'
const lines: string[] = []
const world = new World({ seed: 'faults', latencyMs: () => 50, onTrace: line => lines.push(line) })
const got = new Map<string, string[]>()
const nodes: SimNode[] = []
for (let index = 0; index < 6; index++) {
  const node = await world.add({
    name: `n${index}`,
    skewMs: index === 5 ? 60_000 : 0,
    config: { onlyPeers: true },
    setUp: (made, { name }) =>
      made.subscribe(TOPIC, ({ payload }) => {
        const text = Buffer.from(payload).toString()
        got.set(text, [...(got.get(text) ?? []), name])
        return 'accept'
      }),
  })
  nodes.push(node)
}
const [n0, n1, n2, n3, n4, n5] = nodes as [SimNode, SimNode, SimNode, SimNode, SimNode, SimNode]
await world.start(nodes)
await world.connect(
  nodes.flatMap((node, index) => [1, 2].map(step => [node, nodes[(index + step) % 6] as SimNode] as const)),
)
await world.run(5_000)

async function reached(from: SimNode, text: string): Promise<string[]> {
  await world.until(
    from.call(node => node.propagate(TOPIC, Buffer.from(text))),
    10_000,
  )
  await world.run(2_000)
  return (got.get(text) ?? []).toSorted()
}
const isConnected = (node: SimNode, to: SimNode): boolean =>
  node.call(made => made.peers().some(({ peer }) => peer === to.peer))
async function failure(promise: Promise<unknown>): Promise<string> {
  const startMs = world.nowMs
  return await world.until(promise, 60_000).then(
    () => 'none',
    error => `${error.code} after ${world.nowMs - startMs} ms`,
  )
}

const before = await reached(n0, 'before')
world.partition([
  [n0, n1, n2],
  [n3, n4, n5],
])
const during = await reached(n0, 'during')
const duringOther = await reached(n5, 'during, other side')
await world.run(4_000)
world.heal()
await world.run(12_000)
const after = await reached(n0, 'after')
const late = [got.get('during')?.length, got.get('during, other side')?.length]

await n4.disk.open().write([{ put: '/test/kept', value: Uint8Array.of(1) }])
n4.crash()
const linesAtCrash = lines.length
await world.run(1_000)
const stillBelieved = [n2, n3, n5, n0].map(node => isConnected(node, n4))
const dialDead = await failure(n1.call(node => node.connect(n4.address)))
await world.run(45_000)
const noticed = [n2, n3, n5, n0].map(node => isConnected(node, n4))
const farewells = lines.slice(linesAtCrash).filter(line => / (fin|rst) n4>/.test(line))

const restart = async (): Promise<boolean> => {
  await world.start([n4])
  await world.connect([[n4, n0]])
  await world.run(3_000)
  return (await n4.disk.open().get('/test/kept')) !== undefined
}
const isKept = await restart()
const restarted = await reached(n0, 'to the restarted')
n4.crash()
n4.disk.clear()
const isKeptAfterWipe = await restart()

await world.stop([n3])
const dialStopped = await failure(n0.call(node => node.connect(n3.address)))

world.resetLink(n0, n1)
await world.run(1)
const afterReset = [isConnected(n0, n1), isConnected(n1, n0), isConnected(n0, n2)]
const clocks = [n0, n5].map(node => node.call(() => Date.now()) - Date.now())

process.stdout.write(
  JSON.stringify({
    before,
    during,
    duringOther,
    late,
    after,
    stillBelieved,
    dialDead,
    noticed,
    farewells,
    isKept,
    restarted,
    isKeptAfterWipe,
    dialStopped,
    afterReset,
    clocks,
  }),
)
