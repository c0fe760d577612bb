/**
 * How many messages a second one node can flood to another, and what each costs in CPU time on both sides.
 *
 * Two real processes over loopback with a closed window. All variants run in every round, in an order that
 * turns from round to round, so that a busy machine hurts all alike; ratios are taken within a round.
 */
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isVariantName, VARIANT_NAMES, type VariantName } from './flood/names.ts'
import type { Meeting } from './flood/peer.ts'
import { type Sample, STAMP_BYTES, type Step } from './flood/sender.ts'
import { type Benchmark, UsageError } from './support/benchmark.ts'
import { Child } from './support/child.ts'
import { formatSpread, formatTable, spread } from './support/figures.ts'

const PEER = fileURLToPath(new URL('./flood/peer.ts', import.meta.url))

const USAGE = `--runs N           rounds (5)
--seconds S        measured time of each step (2)
--sizes A,B,…      payload bytes (256,1000,100000,1000000)
--variants A,B,…   ${VARIANT_NAMES.join(',')}
--window N         unacknowledged messages, never more than 8 MB (512); 1 measures the round trip
--burst N          messages in one turn of the event loop, never more than 64 kB (8)
--profile FOLDER   writes a CPU profile of every process there`

/** The window's second bound: so much may be published and not acknowledged. */
const WINDOW_BYTES = 8_000_000

/** A step that takes this much longer than its measured time has lost a message. */
const STEP_GRACE_MS = 30_000

interface Options {
  readonly runs: number
  readonly measureMs: number
  readonly sizes: readonly number[]
  readonly variants: readonly VariantName[]
  readonly windowMessages: number
  readonly burst: number
  readonly profile: string | undefined
}

function parse(args: string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      runs: text,
      seconds: text,
      sizes: text,
      variants: text,
      window: text,
      burst: text,
      profile: text,
    },
  })
  const atLeast = (least: number, name: string, given: string): number => {
    const value = Number(given)
    if (!(value >= least)) throw new UsageError(`--${name} takes numbers from ${least} on, not ${given}`)
    return value
  }
  const variants = (values.variants?.split(',') ?? VARIANT_NAMES).map(name => {
    if (isVariantName(name)) return name
    throw new UsageError(`there is no variant ${name}, only ${VARIANT_NAMES.join(', ')}`)
  })
  return {
    runs: atLeast(1, 'runs', values.runs ?? '5'),
    measureMs: atLeast(0.1, 'seconds', values.seconds ?? '2') * 1_000,
    sizes: (values.sizes ?? '256,1000,100000,1000000')
      .split(',')
      .map(size => atLeast(STAMP_BYTES, 'sizes', size)),
    variants,
    windowMessages: atLeast(1, 'window', values.window ?? '512'),
    burst: atLeast(1, 'burst', values.burst ?? '8'),
    profile: values.profile,
  }
}

/** What one variant did in one round at one size. */
interface Figure {
  readonly variant: string
  readonly round: number
  readonly sizeBytes: number
  readonly messagesPerSecond: number
  readonly senderUs: number
  readonly receiverUs: number
}

function figure(variant: string, round: number, sizeBytes: number, sample: Sample): Figure {
  return {
    variant,
    round,
    sizeBytes,
    messagesPerSecond: (sample.messages * 1_000) / sample.elapsedMs,
    senderUs: sample.senderCpuUs / sample.messages,
    receiverUs: sample.receiverCpuUs / sample.messages,
  }
}

function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} took more than ${timeoutMs} ms`)), timeoutMs)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}

/**
 * One variant at one size in one round. Each has a fresh pair of processes: what earlier steps leave in the
 * caches of gossipsub and on the heap would slow the later ones, and most after the fastest variant.
 */
async function measure(variant: string, sizeBytes: number, round: number, options: Options): Promise<Figure> {
  const spawn = (role: string): Child => {
    const profile = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]
    const named =
      profile.length === 0 ? [] : [`--cpu-prof-name=${variant}-${sizeBytes}-${role}-${round}.cpuprofile`]
    return new Child(`${variant} ${role}`, [...profile, ...named, PEER, role, variant])
  }
  const receiver = spawn('receive')
  const sender = spawn('send')
  const step: Step = {
    sizeBytes,
    warmupMs: options.measureMs,
    measureMs: options.measureMs,
    windowMessages: options.windowMessages,
    windowBytes: WINDOW_BYTES,
    burst: options.burst,
  }
  try {
    const meeting = await within(receiver.answer<Meeting>(), STEP_GRACE_MS, 'starting')
    await within(sender.ask(meeting), STEP_GRACE_MS, 'forming the mesh')
    const sample = await within(sender.ask<Sample>(step), 2 * options.measureMs + STEP_GRACE_MS, 'the step')
    return figure(variant, round, sizeBytes, sample)
  } finally {
    await Promise.all([sender.stop(), receiver.stop()])
  }
}

/** Of each round, how many times the messages a second of `other` the variant reached. */
function ratio(figures: readonly Figure[], mine: readonly Figure[], other: string): string {
  const ratios = mine.flatMap(({ round, sizeBytes, messagesPerSecond }) =>
    figures
      .filter(theirs => theirs.variant === other && theirs.round === round && theirs.sizeBytes === sizeBytes)
      .map(theirs => messagesPerSecond / theirs.messagesPerSecond),
  )
  return ratios.length === 0 ? '' : formatSpread(spread(ratios), 2)
}

function table(figures: readonly Figure[], options: Options): string {
  const rows = options.sizes.flatMap(sizeBytes =>
    options.variants.map(variant => {
      const mine = figures.filter(one => one.variant === variant && one.sizeBytes === sizeBytes)
      return [
        `${sizeBytes} B ${variant}`,
        formatSpread(spread(mine.map(one => one.messagesPerSecond)), 0),
        formatSpread(spread(mine.map(one => one.senderUs)), 1),
        formatSpread(spread(mine.map(one => one.receiverUs)), 1),
        ratio(figures, mine, 'defaults'),
        ratio(figures, mine, 'tuned'),
      ]
    }),
  )
  return formatTable(['', 'messages/s', 'sender CPU µs', 'receiver CPU µs', '× defaults', '× tuned'], rows)
}

/** The load of the machine, which tells whether the figures can be trusted. */
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
    const turned = options.variants.map(
      (_, i) => options.variants[(i + round) % options.variants.length] ?? '',
    )
    for (const sizeBytes of options.sizes) {
      for (const variant of turned) figures.push(await measure(variant, sizeBytes, round, options))
    }
    console.log(`round ${round + 1} of ${options.runs} done`)
  }
  const loadAfter = load()
  console.log(`\n${table(figures, options)}\n`)
  console.log(`median (min..max) of ${options.runs} rounds; load average after: ${loadAfter}`)
  return { options, loadBefore, loadAfter, figures }
}

export const benchmark: Benchmark = {
  summary: 'messages a second and CPU time a message between two processes, against bare libp2p',
  usage: USAGE,
  run,
}
