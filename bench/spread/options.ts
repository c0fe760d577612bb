/**
 * The command line of the spread benchmark.
 */
import { parseArgs } from 'node:util'
import { UsageError } from '../support/benchmark.ts'
import { DEFAULT_VARIANTS, VARIANT_NAMES, type VariantName } from './names.ts'
import { STAMP_BYTES } from './stamp.ts'

/** What is measured: payloads of all sizes and variants; small messages beside swarms. */
export const PARTS = ['spread', 'urgent'] as const

export type Part = (typeof PARTS)[number]

export const USAGE = `--runs N           rounds (5)
--sizes A,B,…      payload bytes (16000,128000,1000000,4000000)
--variants A,B,…   of ${VARIANT_NAMES.join(',')} (${DEFAULT_VARIANTS.join(',')})
--parts A,B        of ${PARTS.join(',')} (both); --urgent: the second alone
--latency MS       one way (50)
--rate MBIT        of each uplink (20)
--queue MS         what may wait before an uplink (100)
--nodes N          processes, each on a host of its own (16)
--connections N    of each node (12)
--seconds S        of each phase of the second part (15)
--chats N          small messages a second and node in the second part (2)
--seed TEXT        who is whose neighbour (spread)
--profile FOLDER   writes a CPU profile of every process there`

export interface Options {
  readonly runs: number
  readonly sizes: readonly number[]
  readonly variants: readonly VariantName[]
  readonly parts: readonly Part[]
  readonly latencyMs: number
  readonly upMbit: number
  readonly queueMs: number
  readonly nodes: number
  readonly connections: number
  readonly phaseMs: number
  readonly chatsPerS: number
  readonly seed: string
  readonly profile: string | undefined
}

/** @throws UsageError, or what `parseArgs` throws */
export function parse(args: string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      runs: text,
      sizes: text,
      variants: text,
      parts: text,
      urgent: { type: 'boolean' },
      latency: text,
      rate: text,
      queue: text,
      nodes: text,
      connections: text,
      seconds: text,
      chats: text,
      seed: text,
      profile: text,
    },
  })
  const between = (least: number, most: number, name: string, given: string): number => {
    const value = Number(given)
    if (value >= least && value <= most) return value
    throw new UsageError(`--${name} takes numbers from ${least} to ${most}, not ${given}`)
  }
  const whole = (least: number, most: number, name: string, given: string): number => {
    const value = between(least, most, name, given)
    if (Number.isInteger(value)) return value
    throw new UsageError(`--${name} takes whole numbers, not ${given}`)
  }
  const parts = values.urgent === true ? 'urgent' : (values.parts ?? PARTS.join(','))
  return {
    runs: whole(1, 1_000, 'runs', values.runs ?? '5'),
    // Each once: the tables tell figures apart by size and variant.
    sizes: unique((values.sizes ?? '16000,128000,1000000,4000000').split(',')).map(size =>
      whole(STAMP_BYTES, 64_000_000, 'sizes', size),
    ),
    variants: chosen('variant', VARIANT_NAMES, values.variants ?? DEFAULT_VARIANTS.join(',')),
    parts: chosen('part', PARTS, parts),
    latencyMs: between(0, 10_000, 'latency', values.latency ?? '50'),
    upMbit: between(0.1, 10_000, 'rate', values.rate ?? '20'),
    queueMs: between(1, 60_000, 'queue', values.queue ?? '100'),
    nodes: whole(3, 200, 'nodes', values.nodes ?? '16'),
    connections: whole(2, 100, 'connections', values.connections ?? '12'),
    phaseMs: between(1, 3_600, 'seconds', values.seconds ?? '15') * 1_000,
    chatsPerS: between(0.01, 1_000, 'chats', values.chats ?? '2'),
    seed: values.seed ?? 'spread',
    profile: values.profile,
  }
}

function chosen<T extends string>(what: string, known: readonly T[], given: string): T[] {
  return unique(given.split(',')).map(name => {
    const found = known.find(one => one === name)
    if (found === undefined) throw new UsageError(`there is no ${what} ${name}, only ${known.join(', ')}`)
    return found
  })
}

function unique<T>(list: readonly T[]): T[] {
  return [...new Set(list)]
}
