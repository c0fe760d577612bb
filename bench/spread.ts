/**
 * How long a payload takes from one node to all others, and how many bytes that costs: our three ways beside bare
 * gossipsub; then what swarms do to small messages.
 *
 * Real processes in a lab, each on a host of its own with a slow uplink and a delay, over the kernel's TCP. In every round
 * each variant has a fresh network and sends a payload of each size; the order of the variants turns from round to round,
 * so that a busy machine hurts all alike.
 */
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { whyNoLab } from '../test/lab/support/lab.ts'
import { type Journey, spreadOne, travel } from './spread/journey.ts'
import type { VariantName } from './spread/names.ts'
import { Network, type NetworkPlan } from './spread/network.ts'
import { type Options, parse, USAGE } from './spread/options.ts'
import { spreadTable, urgentRatio, urgentTable } from './spread/tables.ts'
import { type Phase, urgentRound } from './spread/urgent.ts'
import type { Benchmark } from './support/benchmark.ts'

/** Before the payloads that count: code is compiled, streams are open, and Yamux has opened its windows. */
const OPENER_BYTES = 1_000_000
const OPENERS = 3

/** Between two payloads, longer than TCP's timeout: the kernel then starts slowly again, as after any pause. */
const PAUSE_MS = 2_000

const BULK_BYTES = 4_000_000

/** From here on the switch's lateness is more than a hundredth of the usual delay. */
const LATE_MAX_US = 500

/** What went wrong in a round that the others don't have to pay for. */
interface Failure {
  readonly what: string
  readonly round: number
  readonly error: string
}

interface Results {
  readonly journeys: Journey[]
  readonly phases: Phase[]
  readonly failures: Failure[]
}

function planOf(options: Options, variant: VariantName, round: number, isUrgent: boolean): NetworkPlan {
  const { nodes, connections, latencyMs, upMbit, queueMs, profile } = options
  // The same graph for all variants of a round.
  const seed = `${options.seed} ${round}`
  return { variant, nodes, connections, latencyMs, upMbit, queueMs, seed, isUrgent, profile }
}

/** One network of one variant, and a payload of each size through it. */
async function sendAll(
  variant: VariantName,
  round: number,
  options: Options,
  took: (journey: Journey) => void,
): Promise<void> {
  const network = new Network(planOf(options, variant, round, false))
  const { nodes } = options
  try {
    await network.start()
    for (let opener = 0; opener < OPENERS; opener++) {
      await spreadOne(network, { number: opener, sizeBytes: OPENER_BYTES, origin: (round + opener) % nodes })
    }
    for (const [index, sizeBytes] of options.sizes.entries()) {
      await network.quiet(PAUSE_MS)
      await sleep(PAUSE_MS)
      const origin = (round * options.sizes.length + index + 1) % nodes
      took(await travel(network, { variant, round, nodes, number: OPENERS + index, sizeBytes, origin }))
    }
  } finally {
    await network.stop()
  }
}

async function spreadRound(round: number, options: Options, results: Results): Promise<void> {
  const { variants } = options
  for (const [index] of variants.entries()) {
    const variant = variants[(index + round) % variants.length]
    if (variant === undefined) continue
    await unlessFailed(results, variant, round, async () => {
      await sendAll(variant, round, options, journey => {
        results.journeys.push(journey)
        console.log(lineOf(journey))
      })
    })
  }
}

async function urgentRoundOf(round: number, options: Options, results: Results): Promise<void> {
  await unlessFailed(results, 'urgent', round, async () => {
    const plan = planOf(options, 'swarm', round, true)
    const { phaseMs, chatsPerS } = options
    const phases = await urgentRound({ ...plan, phaseMs, ratePerS: chatsPerS, bulkBytes: BULK_BYTES }, round)
    results.phases.push(...phases)
    const [quiet, loaded] = phases.map(({ p99Ms }) => p99Ms.toFixed(0))
    console.log(`round ${round + 1}  300 B  p99 ${quiet} ms, with swarms ${loaded} ms`)
  })
}

/** A network that doesn't form once must not cost the results of an hour. */
async function unlessFailed(
  { failures }: Results,
  what: string,
  round: number,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act()
  } catch (error) {
    failures.push({ what, round, error: String(error) })
    console.log(`round ${round + 1}  ${what}  FAILED: ${String(error)}`)
  }
}

/** Progress, and what casts doubt on a figure. */
function lineOf(journey: Journey): string {
  const { variant, round, sizeBytes, halfMs, allMs, wireCopies, missing } = journey
  const { lateMeanUs, dropped, problems } = journey
  const ms = (value: number | null): string => (value === null ? 'never' : `${value.toFixed(0)} ms`)
  return [
    `round ${round + 1}  ${sizeBytes} B ${variant}: half ${ms(halfMs)}, all ${ms(allMs)}`,
    `${wireCopies.toFixed(2)} copies`,
    `${dropped} packets dropped`,
    ...(missing > 0 ? [`${missing} nodes never had it`] : []),
    ...(lateMeanUs > LATE_MAX_US ? [`switch ${lateMeanUs.toFixed(0)} µs late`] : []),
    ...(problems.length > 0 ? [`${problems.length} problems: ${problems[0]}`] : []),
  ].join(', ')
}

/** The load of the machine, which tells whether the figures can be trusted. */
function load(): string {
  return loadavg()
    .map(value => value.toFixed(2))
    .join(' ')
}

async function run(args: string[]): Promise<unknown> {
  const options = parse(args)
  const reason = whyNoLab()
  if (reason !== undefined) {
    console.log(`skipped: there can be no lab here: ${reason}`)
    return undefined
  }
  const loadBefore = load()
  console.log(`load average before: ${loadBefore}`)
  const results: Results = { journeys: [], phases: [], failures: [] }
  for (let round = 0; round < options.runs; round++) {
    if (options.parts.includes('spread')) await spreadRound(round, options, results)
    if (options.parts.includes('urgent')) await urgentRoundOf(round, options, results)
  }
  const loadAfter = load()
  const { nodes, connections, upMbit, latencyMs, queueMs } = options
  console.log(
    `\n${nodes} nodes with ${connections} connections, ${upMbit} Mbit/s up, ${latencyMs} ms one way, ${queueMs} ms of queue`,
  )
  if (results.journeys.length > 0) console.log(`\n${spreadTable(results.journeys, options)}`)
  if (results.phases.length > 0) {
    console.log(`\n${urgentTable(results.phases)}`)
    console.log(`p99 with swarms / quiet: ${urgentRatio(results.phases)}`)
  }
  console.log(`\nmedian (min..max) of ${options.runs} rounds; ratios of medians (min..max of the rounds)`)
  console.log('copies: IP packets of all hosts / ((N−1) × payload); socket copies: without TCP and IP')
  console.log(
    'waited: for a processor, each node on average; long waits are the machine’s time, not the network’s',
  )
  const late = [...results.journeys, ...results.phases].map(one => one.lateMeanUs)
  console.log(
    `switch late by ${Math.max(0, ...late).toFixed(0)} µs at worst; ${results.failures.length} failures`,
  )
  console.log(`load average after: ${loadAfter}`)
  return { options, loadBefore, loadAfter, ...results }
}

export const benchmark: Benchmark = {
  summary: 'time and bytes until a payload is everywhere, on slow links, against bare gossipsub',
  usage: USAGE,
  run,
}
