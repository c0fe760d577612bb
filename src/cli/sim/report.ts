/**
 * What a simulated run has shown: one JSON object, and a table for people.
 */
import { digits3, formatBytes, formatMs } from '../cluster/units.ts'
import { table } from '../table.ts'

export interface SimReport {
  readonly seed: string
  readonly nodes: number
  /** Of everything that happened: the same for the same scenario and seed. */
  readonly traceHash: string
  readonly cpuSeconds: number
  readonly phases: readonly PhaseReport[]
  readonly assertions: readonly AssertionReport[]
  /** Every assertion held, but for those that are expected to fail, which did. */
  readonly ok: boolean
  /** Virtual time, with warm-up and drain. */
  readonly simulatedSeconds: number
  readonly peakMemoryBytes: number
  /** The last lines of the trace; empty when `ok`. */
  readonly traceTail: readonly string[]
}

/** Null: there was nothing to measure. */
export interface PhaseReport {
  readonly name: string
  /** Accepted messages. */
  readonly messages: number
  readonly coverage: number | null
  readonly latencyMs: {
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly max: number
  } | null
  readonly copies: number | null
  readonly bytesPerNode: number
  /** Of a node, on average, at the end of the phase. */
  readonly connections: number
  readonly diameter: number | null
  readonly meanHops: number | null
}

export interface AssertionReport {
  readonly text: string
  /** Null: nothing to measure, or, of `mergedAfterHeal`, never. */
  readonly value: number | null
  /** The value for people. */
  readonly shown: string
  readonly held: boolean
  /** The figure in the scenario, of one that is expected to fail. */
  readonly expectedToFail?: string
}

/** What `--json` prints: the report without what is for people. */
export function jsonOf({ traceTail: _, assertions, ...report }: SimReport): object {
  return { ...report, assertions: assertions.map(({ shown: __, ...assertion }) => assertion) }
}

/** Whether an assertion is as the scenario says. */
export function isAsExpected({
  held,
  expectedToFail,
}: Pick<AssertionReport, 'held' | 'expectedToFail'>): boolean {
  return held === (expectedToFail === undefined)
}

const TITLES = [
  'phase',
  'msgs',
  'coverage',
  'p50',
  'p90',
  'p99',
  'max',
  'copies',
  'sent/node',
  'conns',
  'diam',
  'hops',
]

/** The table of phases, the assertions, and one line about the run. */
export function describe(report: SimReport): string {
  const { seed, nodes, traceHash, cpuSeconds, simulatedSeconds, peakMemoryBytes, assertions } = report
  const phases = table(
    TITLES,
    report.phases.map(phase => [
      phase.name,
      phase.messages,
      shown(phase.coverage, percent),
      ...(['p50', 'p90', 'p99', 'max'] as const).map(part =>
        shown(phase.latencyMs?.[part] ?? null, formatMs),
      ),
      shown(phase.copies, digits3),
      formatBytes(phase.bytesPerNode),
      digits3(phase.connections),
      shown(phase.diameter, String),
      shown(phase.meanHops, digits3),
    ]),
  )
  const cost = `${digits3(cpuSeconds)} CPU s and ${formatBytes(peakMemoryBytes)} for ${digits3(simulatedSeconds)} s`
  const run = `seed ${seed}, ${nodes} nodes, trace ${traceHash.slice(0, 16)}, ${cost}`
  return [phases, '', ...assertions.map(line), ...(assertions.length > 0 ? [''] : []), run].join('\n')
}

/** One assertion: what came out, and whether that is right. */
export function line(assertion: AssertionReport): string {
  const { text, shown: value, held, expectedToFail } = assertion
  if (expectedToFail === undefined) return `${held ? 'held  ' : 'FAILED'}  ${text}: ${value}`
  return held
    ? `FAILED  ${text}: ${value}, though expected to fail (${expectedToFail}): take the mark away`
    : `known   ${text}: ${value}, expected to fail (${expectedToFail})`
}

/** Never rounded up: 100 % is all. */
function percent(share: number): string {
  return share === 1 ? '100 %' : `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`
}

function shown(value: number | null, format: (value: number) => string): string {
  return value === null ? '–' : format(value)
}
