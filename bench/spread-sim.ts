/**
 * How fast a payload spreads, and how often it is sent: swarms beside bare gossipsub, in the simulator.
 *
 * Both run over the same graph with the same lines, in virtual time: a busy machine makes it longer and changes nothing.
 */
import { parseArgs } from 'node:util'
import { type Course, meanOf, type Passage, take, type Variant } from './spread-sim/course.ts'
import { type Benchmark, UsageError } from './support/benchmark.ts'
import { formatTable } from './support/figures.ts'

const USAGE = `--only A,B,…       rows whose name contains one of these
--seed S           decides the graph, the lines and the senders (1)`

/** What must hold, in seconds, and copies. */
interface Bounds {
  readonly p50?: number
  readonly all: number
  readonly copies?: number
}

interface Row {
  readonly name: string
  readonly course: Omit<Course, 'seed' | 'variant'>
  /** Beside bare gossipsub. */
  readonly variant: Variant
  /** Bare gossipsub has no answer to it: its frames end at 4 MiB. */
  readonly isAlone?: boolean
  readonly bounds?: Bounds
  /** How many times bare gossipsub's p50, p95 and time to all it may take. */
  readonly ratioMax?: number
}

type Lines = Pick<Course, 'lines' | 'connect' | 'messages'>

/** 12 connections a node. */
const HOME: Lines = { lines: 'home', connect: 6, messages: 1 }

/** 20 connections a node, as in the suite; senders in several regions. */
const WORLD: Lines = { lines: 'world', connect: 10, messages: 3 }

const KB = 1_000
const MB = 1_000_000
const KIB = 1_024

const ROWS: readonly Row[] = [
  {
    name: 'home 100 128 kB',
    course: { ...HOME, nodes: 100, sizeBytes: 128 * KB },
    variant: 'swarm',
    bounds: { all: 0.7, copies: 2 },
  },
  {
    name: 'home 100 1 MB',
    course: { ...HOME, nodes: 100, sizeBytes: MB },
    variant: 'swarm',
    bounds: { p50: 1.5, all: 2, copies: 1.25 },
    ratioMax: 1 / 5,
  },
  {
    name: 'home 100 4 MB',
    course: { ...HOME, nodes: 100, sizeBytes: 4 * MB },
    variant: 'swarm',
    bounds: { all: 4, copies: 1.2 },
    ratioMax: 1 / 5,
  },
  {
    name: 'home 16 16 MB',
    course: { ...HOME, nodes: 16, sizeBytes: 16 * MB },
    variant: 'swarm',
    isAlone: true,
  },
  {
    name: 'home 300 1 MB',
    course: { ...HOME, nodes: 300, sizeBytes: MB },
    variant: 'swarm',
    isAlone: true,
    bounds: { all: 2.4 },
  },
  ...[32, 200].flatMap((nodes): Row[] => [
    {
      name: `world ${nodes} 96 KiB`,
      course: { ...WORLD, nodes, sizeBytes: 96 * KIB },
      variant: 'auto',
      ratioMax: 1.03,
    },
    {
      name: `world ${nodes} 1 MB`,
      course: { ...WORLD, nodes, sizeBytes: MB },
      variant: 'auto',
      ratioMax: 1,
    },
  ]),
]

function parse(args: string[]): { rows: readonly Row[]; seed: string } {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { only: text, seed: text } })
  const wanted = values.only?.split(',') ?? ['']
  const rows = ROWS.filter(({ name }) => wanted.some(part => name.includes(part)))
  if (rows.length === 0)
    throw new UsageError(`no row is called ${values.only}, only ${ROWS.map(({ name }) => name).join(', ')}`)
  return { rows, seed: values.seed ?? '1' }
}

interface Result {
  readonly row: Row
  readonly own: Passage
  readonly bare: Passage | undefined
}

async function measure(row: Row, seed: string): Promise<Result> {
  const run = async (variant: Variant): Promise<Passage> => {
    const outcome = await take({ ...row.course, seed, variant })
    console.error(
      `${row.name} ${variant}: ${outcome.connections} connections, ${outcome.cpuSeconds} CPU seconds`,
    )
    return meanOf(outcome)
  }
  // One after the other: a run may take 3 GB.
  const own = await run(row.variant)
  return { row, own, bare: row.isAlone === true ? undefined : await run('bare') }
}

/** What does not hold of what must. */
function missed({ row: { bounds, ratioMax }, own, bare }: Result): string[] {
  const missed: string[] = []
  const within = (what: string, is: number, max: number | undefined): void => {
    if (max !== undefined && is > max) missed.push(`${what} ${is.toFixed(2)} > ${max}`)
  }
  within('p50', own.p50Ms / 1_000, bounds?.p50)
  within('all', own.allMs / 1_000, bounds?.all)
  within('copies', own.copies, bounds?.copies)
  if (bare === undefined) return missed
  within('p50 ratio', own.p50Ms / bare.p50Ms, ratioMax)
  within('p95 ratio', own.p95Ms / bare.p95Ms, ratioMax)
  within('all ratio', own.allMs / bare.allMs, ratioMax)
  return missed
}

function cells(result: Result): string[][] {
  const { row, own, bare } = result
  const times = ({ p50Ms, p95Ms, allMs }: Passage): number[] => [p50Ms, p95Ms, allMs]
  const line = (name: string, one: Passage, rest: readonly string[]): string[] => [
    `${row.name} ${name}`,
    ...times(one).map(ms => (ms / 1_000).toFixed(2)),
    one.copies.toFixed(2),
    ...rest,
  ]
  const faster = bare && times(own).map((ms, index) => ((times(bare)[index] ?? 0) / ms).toFixed(2))
  const verdict = missed(result).join(', ') || 'ok'
  return [
    line(row.variant, own, [...(faster ?? ['', '', '']), verdict]),
    ...(bare === undefined ? [] : [line('bare', bare, ['', '', '', ''])]),
  ]
}

const HEAD = ['', 'p50 s', 'p95 s', 'all s', 'copies', '× p50', '× p95', '× all', 'targets']

async function run(args: string[]): Promise<unknown> {
  const { rows, seed } = parse(args)
  const results: Result[] = []
  for (const row of rows) results.push(await measure(row, seed))
  console.log(`\n${formatTable(HEAD, results.flatMap(cells))}\n`)
  console.log(
    'copies: all bytes sent / ((nodes − 1) × payload); ×: how many times faster than bare gossipsub',
  )
  if (results.some(result => missed(result).length > 0)) process.exitCode = 1
  return { seed, results: results.map(result => ({ ...result, missed: missed(result) })) }
}

export const benchmark: Benchmark = {
  summary:
    'how fast payloads spread over simulated networks, and how often they are sent, against bare gossipsub',
  usage: USAGE,
  run,
}
