/**
 * One payload through one network: when each node had it, and what it cost.
 */
import type { VariantName } from './names.ts'
import type { Network } from './network.ts'
import type { NodeState } from './protocol.ts'

/** A message that needs longer counts as lost. 4 MB from a node that sends it to 12 others take 20 s at 20 Mbit/s. */
const PATIENCE_MS = 90_000

/** How long late copies are waited for. */
const LATE_COPIES_MS = 60_000

export interface Journey {
  readonly variant: VariantName
  readonly round: number
  readonly sizeBytes: number
  readonly origin: number
  /** Until half, 95 % and all of the other nodes had it; null when some of them never did. */
  readonly halfMs: number | null
  readonly mostMs: number | null
  readonly allMs: number | null
  /** How many nodes never had it. */
  readonly missing: number
  /** What all hosts sent: IP packets, acknowledgements and headers of TCP and IP included, / ((N−1) × payload). */
  readonly wireCopies: number
  /** What went through the sockets, / ((N−1) × payload): without TCP and IP. */
  readonly socketCopies: number
  /** CPU time of all nodes together, from the sending until the last late copy. */
  readonly cpuMs: number
  /** In that time, for how long a node could have run and had no processor, on average: more than a few ms spoil times. */
  readonly waitedMs: number
  /** How much later than it should the switch forwarded, on average: trust only what is small against the delays. */
  readonly lateMeanUs: number
  /** Packets that found an uplink's queue full. */
  readonly dropped: number
  /** Since the start of the network: lost connections, offences. */
  readonly problems: readonly string[]
}

export interface Trip {
  readonly variant: VariantName
  readonly round: number
  readonly nodes: number
  /** Of this network, each message has another. */
  readonly number: number
  readonly sizeBytes: number
  readonly origin: number
}

/** Sends a payload and waits until it is everywhere and everything is quiet again. */
export async function travel(network: Network, trip: Trip): Promise<Journey> {
  const { variant, round, nodes, sizeBytes, origin } = trip
  const statesBefore = await network.states()
  const before = network.stats()
  const arrivals = await spreadOne(network, trip)
  await network.quiet(LATE_COPIES_MS)
  const after = network.stats()
  const states = await network.states()
  const sum = (key: 'sentBytes' | 'cpuUs' | 'waitedUs'): number =>
    states.reduce((total, state, node) => total + state[key] - (statesBefore[node]?.[key] ?? 0), 0)
  const least = (nodes - 1) * sizeBytes
  return {
    variant,
    round,
    sizeBytes,
    origin,
    ...arrivals,
    wireCopies: (after.sentBytes - before.sentBytes) / least,
    socketCopies: sum('sentBytes') / least,
    cpuMs: sum('cpuUs') / 1_000,
    waitedMs: sum('waitedUs') / 1_000 / nodes,
    lateMeanUs: after.lateMeanUs,
    dropped: after.dropped - before.dropped,
    problems: problemsOf(states),
  }
}

/** Sends a payload and waits until it is everywhere. */
export async function spreadOne(
  network: Network,
  { number, sizeBytes, origin }: Pick<Trip, 'number' | 'sizeBytes' | 'origin'>,
): Promise<Pick<Journey, 'halfMs' | 'mostMs' | 'allMs' | 'missing'>> {
  const answers = await network.each(async (node, ask) =>
    node === origin
      ? await ask('publish', { number, sizeBytes })
      : await ask('arrival', { number, timeoutMs: PATIENCE_MS }),
  )
  const others = answers.filter((_, node) => node !== origin)
  const arrived = others.filter(tookUs => tookUs !== null)
  const sortedMs = arrived.map(tookUs => tookUs / 1_000).sort((a, b) => a - b)
  const isEverywhere = arrived.length === others.length
  return {
    halfMs: isEverywhere ? quantile(sortedMs, 0.5) : null,
    mostMs: isEverywhere ? quantile(sortedMs, 0.95) : null,
    allMs: isEverywhere ? quantile(sortedMs, 1) : null,
    missing: others.length - arrived.length,
  }
}

/** Between two values in proportion: of 15 nodes no value alone is the 95 % point. @param sorted not empty */
export function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1)
  const lower = sorted[Math.floor(place)]
  const upper = sorted[Math.ceil(place)]
  if (lower === undefined || upper === undefined) throw new RangeError('there is no value')
  return lower + (upper - lower) * (place - Math.floor(place))
}

/** Each with its node, from 1. */
function problemsOf(states: readonly NodeState[]): string[] {
  return states.flatMap(({ problems }, node) => problems.map(problem => `node ${node + 1}: ${problem}`))
}
