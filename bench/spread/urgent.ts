/**
 * The second part: how long 300-byte flood messages take while 4 MB swarms run, against how long without.
 *
 * One network of ours. All nodes send small messages all the time; a phase of quiet is followed by one of the same
 * length in which a swarm from another node starts as soon as the last is everywhere. Both phases are in every round, so
 * that a busy machine hurts both.
 */
import { spread } from '../support/figures.ts'
import { quantile, spreadOne } from './journey.ts'
import { Network, type NetworkPlan } from './network.ts'

export interface UrgentPlan extends NetworkPlan {
  readonly phaseMs: number
  /** Of each node. */
  readonly ratePerS: number
  readonly bulkBytes: number
}

/** For what was sent last in a phase. */
const DRAIN_MS = 3_000

export interface Phase {
  readonly round: number
  readonly isLoaded: boolean
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
  readonly delivered: number
  /** Of these small messages, per node that they didn't reach. */
  readonly missing: number
  /** Swarms that were everywhere at the end. */
  readonly swarms: number
  /** Median time until a swarm was everywhere; null when none was. */
  readonly swarmMs: number | null
  readonly lateMeanUs: number
}

/** Both phases of one round. */
export async function urgentRound(plan: UrgentPlan, round: number): Promise<Phase[]> {
  const network = new Network(plan)
  try {
    await network.start()
    // The code of both ways is compiled, and no phase is the first.
    await spreadOne(network, { number: 1, sizeBytes: plan.bulkBytes, origin: 0 })
    await chat(network, plan, DRAIN_MS)
    await network.each((_, ask) => ask('chatted', {}))
    const quiet = await phase(network, plan, round, false)
    return [quiet, await phase(network, plan, round, true)]
  } finally {
    await network.stop()
  }
}

/** All nodes send small messages for that long. */
async function chat(network: Network, { ratePerS }: UrgentPlan, forMs: number): Promise<void> {
  await network.each((_, ask) => ask('chatter', { ratePerS, forMs }))
}

async function phase(network: Network, plan: UrgentPlan, round: number, isLoaded: boolean): Promise<Phase> {
  network.stats()
  await chat(network, plan, plan.phaseMs)
  const endMs = performance.now() + plan.phaseMs
  const tookMs: number[] = []
  // Numbers of swarms: 1 was the first of all.
  for (let number = 2; isLoaded && performance.now() < endMs; number++) {
    const origin = number % plan.nodes
    const { allMs } = await spreadOne(network, { number, sizeBytes: plan.bulkBytes, origin })
    if (allMs !== null) tookMs.push(allMs)
  }
  await new Promise(resolve => setTimeout(resolve, Math.max(0, endMs - performance.now()) + DRAIN_MS))
  const { lateMeanUs } = network.stats()
  const chats = await network.each((_, ask) => ask('chatted', {}))
  const latenciesMs = chats.flatMap(({ latenciesUs }) => latenciesUs.map(us => us / 1_000))
  latenciesMs.sort((a, b) => a - b)
  const due = chats.reduce((sum, { sent }) => sum + sent, 0) * (plan.nodes - 1)
  return {
    round,
    isLoaded,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    worstMs: quantile(latenciesMs, 1),
    delivered: latenciesMs.length,
    missing: due - latenciesMs.length,
    swarms: tookMs.length,
    swarmMs: tookMs.length === 0 ? null : spread(tookMs).median,
    lateMeanUs,
  }
}
