/**
 * A network whose nodes come and go. Prints what was seen of it: whether it held together, whether its nodes had the
 * connections that they want, and what there was of everything after some time and in the end.
 *
 *   peers-churn.ts SEED MINUTES NODES
 *
 * Each node leaves every `STAY_MS` on average, one time in five without a word, and comes back with its disk. Some never
 * leave: only they could tell that something grows with the hours.
 *
 * For counting what there is, nobody leaves for a minute, so that the same number of nodes with the same number of
 * connections is looked at each time.
 */
import { queryObjects } from 'node:v8'
import { virtualGlobals } from '../../../src/sim/globals.ts'
import type { SimNode } from '../../../src/sim/sim-node.ts'
import { PeersNet, report } from './peers-net.ts'

const { Peers } = await import('../../../src/peers/peers.ts')

/** What a run has shown. */
export interface Churned {
  /** At how many moments after the warm-up it was looked whether the live nodes hang together. */
  readonly looks: number
  /** When they did not, in seconds. */
  readonly tornAtS: readonly number[]
  /** How often a node has left. */
  readonly departures: number
  /** Seconds of nodes that have been up for a minute. */
  readonly nodeSeconds: number
  /** Of these, with all the outbound connections that they want, or connected with everyone. */
  readonly contentSeconds: number
  /** The longest time for which one of them had fewer than two thirds of these to live peers, and not everyone. */
  readonly fewSeconds: number
  readonly early: Amounts
  readonly late: Amounts
  readonly cpuSeconds: number
}

/** How much there is in the whole process. */
export interface Amounts {
  readonly atMinute: number
  /**
   * Nodes in memory. A few more than live: one that lost power in the middle of a dial stays, since Node keeps signals
   * that somebody listens to. In reality its process would be gone.
   */
  readonly nodesInMemory: number
  /** Timers that wait, virtual ones, of live nodes. */
  readonly timers: number
  /** Closures, and so listeners. */
  readonly functions: number
  /** Entries of all maps and sets. */
  readonly entries: number
  readonly processListeners: number
  readonly heapBytes: number
}

const WARM_UP_MS = 30_000
/** From a node's start until it must be a part of the network. */
const JOINING_MS = 10_000
const STAY_MS = 180_000
/** At most. */
const AWAY_MS = 30_000
const CALM_MS = 60_000
const MINUTE_MS = 60_000

const [seed = '1', minutes = '60', count = '50'] = process.argv.slice(2)
const nodeCount = Number(count)
/** A small network cannot give everyone twelve: most nodes would be connected with everyone. */
const target = Math.min(12, Math.floor(nodeCount / 4))
const few = Math.floor((target * 2) / 3)
const { clock, reality } = virtualGlobals()
const net = await PeersNet.make({
  seed: `churn/${seed}`,
  count: nodeCount,
  config: () => ({ connections: { outboundTarget: target } }),
  bootstrap: index => [1, 2, 3].map(step => (index + step * step) % nodeCount),
})
const { world, nodes } = net
const { random } = world.process
const upSinceMs = new Map<SimNode, number>()
const fewSinceMs = new Map<SimNode, number>()
const tornAtS: number[] = []
const away: Promise<void>[] = []
let [looks, departures, nodeSeconds, contentSeconds, fewSeconds] = [0, 0, 0, 0, 0]

function cameUp(node: SimNode): void {
  upSinceMs.set(node, world.nowMs)
}

/** One node goes, and comes back. */
async function leave(node: SimNode): Promise<void> {
  departures++
  upSinceMs.delete(node)
  fewSinceMs.delete(node)
  if (random.fraction() < 0.2) node.crash()
  else await node.stop()
  await new Promise<void>(resolve => world.at(world.nowMs + AWAY_MS * random.fraction(), resolve))
  await node.start()
  cameUp(node)
}

/** Looks at every node, once a second. */
function look(): void {
  for (const [node, sinceMs] of upSinceMs) {
    if (world.nowMs - sinceMs < MINUTE_MS) continue
    nodeSeconds++
    if (!net.lacks(node, target)) contentSeconds++
    if (!net.lacks(node, few, upSinceMs)) fewSinceMs.delete(node)
    else if (!fewSinceMs.has(node)) fewSinceMs.set(node, world.nowMs)
    fewSeconds = Math.max(fewSeconds, (world.nowMs - (fewSinceMs.get(node) ?? world.nowMs)) / 1_000)
  }
  if (Math.round(world.nowMs / 1_000) % 10 !== 0) return
  looks++
  const settled = [...upSinceMs].filter(([, sinceMs]) => world.nowMs - sinceMs >= JOINING_MS)
  if (net.parts(settled.map(([node]) => node)) > 1) tornAtS.push(world.nowMs / 1_000)
}

async function churn(untilMs: number): Promise<void> {
  while (world.nowMs < untilMs) {
    await net.watch(1_000, 1_000, look)
    const leavers = [...upSinceMs.keys()].filter(node => nodes.indexOf(node) % 10 !== 0)
    for (const node of leavers) if (random.fraction() < 1_000 / STAY_MS) away.push(leave(node))
  }
}

/** Waits until everyone is there and settled, and counts. */
async function amounts(): Promise<Amounts> {
  await net.watch(CALM_MS, 1_000, look)
  await world.until(Promise.all(away.splice(0)), MINUTE_MS)
  const functions = queryObjects(Function, { format: 'count' }) as number
  const sizes = [Map, Set].flatMap(kind => queryObjects(kind, { format: 'summary' }) as string[])
  return {
    atMinute: Math.round(world.nowMs / MINUTE_MS),
    nodesInMemory: queryObjects(Peers, { format: 'count' }) as number,
    timers: clock.size,
    functions,
    entries: sizes.reduce((sum, text) => sum + Number(/\((\d+)\)/.exec(text)?.[1] ?? 0), 0),
    processListeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    // The query has collected the garbage.
    heapBytes: process.memoryUsage().heapUsed,
  }
}

await world.start(nodes)
for (const node of nodes) cameUp(node)
await world.run(WARM_UP_MS)
const wholeMs = Number(minutes) * MINUTE_MS
await churn(wholeMs / 3)
const early = await amounts()
await churn(wholeMs - CALM_MS)
const late = await amounts()
const findings: Churned = {
  looks,
  tornAtS,
  departures,
  nodeSeconds,
  contentSeconds,
  fewSeconds,
  early,
  late,
  cpuSeconds: reality.cpuSeconds(),
}
report(findings)
