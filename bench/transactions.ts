/**
 * At which rate of small messages from all nodes each node still gets every one, and what a message costs.
 *
 * Real processes over loopback, each connected to all others. The rate is that of the whole network, and is doubled
 * until a step fails, and then bisected; a step fails when not everything has arrived everywhere a moment after its end.
 * A failed step is followed by fresh processes: what it has left in queues would fail the next one.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { type Benchmark, UsageError } from './support/benchmark.ts'
import { formatSpread, formatTable, spread } from './support/figures.ts'
import { isVariantName, STAMP_BYTES, VARIANT_NAMES, type VariantName } from './transactions/names.ts'
import { Network, type StepResult } from './transactions/network.ts'

const USAGE = `--step S           seconds of a step (10)
--nodes N          processes (8)
--variants A,B,…   ${VARIANT_NAMES.join(',')}
--runs N           rounds; in each all variants (1)
--size B           payload bytes (250)
--from R           messages a second of the first step (1000)
--until R          no step is faster than this (1000000)
--profile FOLDER   writes a CPU profile of one process of each network there`

/** The bisection ends when the rate that failed is less than this many times the one that passed. */
const RESOLUTION = 1.1

/** Messages may arrive so much after the end of the step, as a part of it: more would be a queue that has grown. */
const DRAIN = 0.2
const DRAIN_MIN_MS = 1_000

/** At the rate of the first step, so that no variant is measured while its code is still being compiled. */
const WARMUP_MS = 2_000

interface Options {
  readonly stepMs: number
  readonly nodes: number
  readonly variants: readonly VariantName[]
  readonly runs: number
  readonly sizeBytes: number
  readonly from: number
  readonly until: number
  readonly profile: string | undefined
}

function parse(args: string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      step: text,
      nodes: text,
      variants: text,
      runs: text,
      size: text,
      from: text,
      until: text,
      profile: text,
    },
  })
  const number = (name: keyof typeof values, fallback: number, least: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!(value >= least)) throw new UsageError(`--${name} takes a number from ${least} on`)
    return value
  }
  const variants = (values.variants?.split(',') ?? VARIANT_NAMES).map(name => {
    if (isVariantName(name)) return name
    throw new UsageError(`there is no variant ${name}, only ${VARIANT_NAMES.join(', ')}`)
  })
  return {
    stepMs: number('step', 10, 0.5) * 1_000,
    nodes: number('nodes', 8, 2),
    variants,
    runs: number('runs', 1, 1),
    sizeBytes: number('size', 250, STAMP_BYTES),
    from: number('from', 1_000, 10),
    until: number('until', 1_000_000, 10),
    profile: values.profile,
  }
}

/** The fastest step of one variant in one round at which everything was delivered. */
interface Figure {
  readonly variant: VariantName
  readonly round: number
  readonly messagesPerSecond: number
  readonly cpuUsPerDelivery: number
  readonly bytesPerMessageAndNode: number
  readonly load: string
  readonly steps: readonly { readonly rate: number; readonly result: StepResult }[]
}

/** Finds the highest rate at which `passes`, to within `RESOLUTION`. */
async function bisect(
  from: number,
  until: number,
  passes: (rate: number) => Promise<boolean>,
): Promise<number> {
  let passed = 0
  let failed = Number.POSITIVE_INFINITY
  let rate = from
  while (failed / passed > RESOLUTION) {
    if (await passes(rate)) passed = rate
    else failed = rate
    if (passed >= until) break
    if (failed === Number.POSITIVE_INFINITY) rate = Math.min(until, passed * 2)
    else if (passed === 0) rate = failed / 2
    else rate = Math.sqrt(passed * failed)
    if (rate < 1) throw new Error('not even one message a second is delivered')
  }
  return passed
}

async function measure(variant: VariantName, round: number, options: Options): Promise<Figure> {
  const { stepMs, nodes, sizeBytes, from, until, profile } = options
  const drainMs = Math.max(DRAIN_MIN_MS, stepMs * DRAIN)
  const steps: { rate: number; result: StepResult }[] = []
  let network: Network | undefined
  const passes = async (rate: number): Promise<boolean> => {
    if (network === undefined) {
      network = await Network.start(variant, nodes, profile)
      const messages = Math.ceil((Math.min(rate, from) * WARMUP_MS) / 1_000)
      await network.step({ messages, durationMs: WARMUP_MS, sizeBytes }, WARMUP_MS)
    }
    const messages = Math.ceil((rate * stepMs) / 1_000)
    const result = await network.step({ messages, durationMs: stepMs, sizeBytes }, drainMs)
    steps.push({ rate, result })
    const share = ((100 * result.delivered) / (result.messages * (nodes - 1))).toFixed(1)
    const cpuUs = (result.cpuUs / Math.max(1, result.delivered)).toFixed(0)
    const tookMs = result.elapsedMs.toFixed(0)
    const cost = `CPU ${cpuUs} µs/delivery, load ${load()}`
    console.log(`  ${variant}: ${rate.toFixed(0)} messages/s: ${share} % in ${tookMs} ms, ${cost}`)
    if (!result.isDelivered) {
      await network.stop()
      network = undefined
    }
    return result.isDelivered
  }
  try {
    const messagesPerSecond = await bisect(from, until, passes)
    const best = steps.findLast(step => step.rate === messagesPerSecond)?.result
    if (best === undefined) throw new Error('no step has passed')
    return {
      variant,
      round,
      messagesPerSecond,
      cpuUsPerDelivery: best.cpuUs / best.delivered,
      bytesPerMessageAndNode: best.writtenBytes / best.messages / nodes,
      load: load(),
      steps,
    }
  } finally {
    await network?.stop()
  }
}

type Measure = 'messagesPerSecond' | 'cpuUsPerDelivery' | 'bytesPerMessageAndNode'

/** Of each round, how many times what `other` has. */
function ratio(
  figures: readonly Figure[],
  mine: readonly Figure[],
  other: VariantName,
  key: Measure,
): string {
  const ratios = mine.flatMap(one =>
    figures
      .filter(theirs => theirs.variant === other && theirs.round === one.round)
      .map(theirs => one[key] / theirs[key]),
  )
  return ratios.length === 0 ? '' : formatSpread(spread(ratios), 2)
}

function table(figures: readonly Figure[], { variants }: Options): string {
  const rows = variants.map(variant => {
    const mine = figures.filter(one => one.variant === variant)
    const of = (key: Measure, digits: number): string =>
      formatSpread(spread(mine.map(one => one[key])), digits)
    return [
      variant,
      of('messagesPerSecond', 0),
      of('cpuUsPerDelivery', 1),
      of('bytesPerMessageAndNode', 0),
      ratio(figures, mine, 'tuned', 'messagesPerSecond'),
      ratio(figures, mine, 'tuned', 'cpuUsPerDelivery'),
      ratio(figures, mine, 'tuned', 'bytesPerMessageAndNode'),
      mine.map(one => one.load.split(' ')[0]).join(' '),
    ]
  })
  const head = ['', 'messages/s', 'CPU µs/delivery', 'bytes/message and node']
  return formatTable([...head, 'rate × tuned', 'CPU × tuned', 'bytes × tuned', 'load'], rows)
}

/** The load of the machine, these processes included, which tells whether the figures can be trusted. */
function load(): string {
  return loadavg()
    .map(value => value.toFixed(2))
    .join(' ')
}

async function run(args: string[]): Promise<unknown> {
  const options = parse(args)
  const loadBefore = load()
  console.log(`load average before: ${loadBefore}`)
  const figures: Figure[] = []
  for (let round = 0; round < options.runs; round++) {
    // In an order that turns, so that a busy machine hurts all alike.
    const turned = options.variants.map((_, i) => options.variants[(i + round) % options.variants.length])
    for (const variant of turned) {
      if (variant !== undefined) figures.push(await measure(variant, round, options))
    }
  }
  console.log(`\n${table(figures, options)}\n`)
  console.log(
    `median (min..max) of ${options.runs} rounds; ${options.nodes} processes, ${options.sizeBytes} B`,
  )
  return { options, loadBefore, loadAfter: load(), figures }
}

export const benchmark: Benchmark = {
  summary: 'the highest rate of 250-byte messages that all of eight processes get, and their cost',
  usage: USAGE,
  run,
}
