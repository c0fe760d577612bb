/**
 * What a run has shown, as one JSON object and as a few lines for people.
 *
 * coverage = deliveries / (messages × (nodes − 1)), exactly 1 only when nothing is missing; also 1 when every
 * message was spoilt on purpose, and 0 when there was none.
 * copies = bytesSent / ((nodes − 1) × payloadBytes), where bytesSent is what all nodes wrote to their sockets in
 * the measured phase, encryption and control messages included.
 */
import type { Mode } from '../../core/upper.ts'
import type { Fleet } from './fleet.ts'
import type { Latencies } from './latency.ts'
import type { Run } from './run.ts'
import { coverageOf, isAllSpoilt, type Totals } from './tally.ts'
import { digits3, formatBytes, formatCount, formatElapsed, formatMs } from './units.ts'

export interface ClusterReport {
  /** No problem: exit code 0. */
  readonly ok: boolean
  readonly problems: readonly string[]
  readonly nodes: number
  readonly topic: string
  readonly seed: string
  /** From the first message to the last report. */
  readonly seconds: number
  /** Accepted messages: those that count for coverage. */
  readonly messages: number
  readonly deliveries: number
  readonly coverage: number
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly max: number }
  readonly copies: number
  readonly payloadBytes: number
  readonly bytesSent: number
  /** The mean of `bytesSent`. */
  readonly bytesPerNode: number
  /** Distinct messages that some node rejected, spoilt ones included. */
  readonly rejected: number
  /** Messages that were not spoilt on purpose, and that the gate refused. */
  readonly refused: number
  /** Ignore verdicts of all nodes. */
  readonly ignored: number
  /** Messages spoilt on purpose; absent without any. */
  readonly corrupt?: {
    readonly sent: number
    readonly rejectedBy: number
    readonly beyondFirstHop: number
    readonly delivered: number
  }
  /** Generated messages that were not sent because a node could not keep the rate. */
  readonly skipped: number
  /** Fed messages that the feed had more than once: sent once. */
  readonly repeated: number
  /** Messages that left the books unfinished, and coverage with them, because too many were under way. */
  readonly untracked: number
  readonly perNode: readonly NodeReport[]
}

export interface NodeReport {
  readonly node: number
  readonly peers: number
  readonly received: number
  readonly accepted: number
  readonly rejected: number
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly max: number }
  /** Bytes that it received / payload bytes that it accepted. */
  readonly copies: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** What of a run goes into its report. */
export interface Measured
  extends Pick<Run, 'plan' | 'tally' | 'problems' | 'skipped' | 'repeated' | 'elapsedMs' | 'wasEnded'> {
  readonly fleet: Pick<Fleet, 'countedBy'>
}

export function reportOf(run: Measured): ClusterReport {
  const { nodes, topic, seed } = run.plan
  const totals = run.tally.totals()
  const perNode = Array.from({ length: nodes }, (_, node) => nodeReport(run, node))
  const bytesSent = perNode.reduce((sum, node) => sum + node.bytesSent, 0)
  const problems = [...run.problems, ...problemsOf(totals, nodes, run.wasEnded, run.plan.mode)]
  const { sent, rejectedBy, beyondFirstHop, delivered } = totals.spoilt
  return {
    ok: problems.length === 0,
    problems,
    nodes,
    topic,
    seed,
    seconds: round(run.elapsedMs / 1_000, 3),
    messages: totals.messages,
    deliveries: totals.deliveries,
    coverage: roundDown(coverageOf(totals, nodes), 6),
    latencyMs: latencyOf(run.tally.latencies),
    copies: ratio(bytesSent, (nodes - 1) * totals.payloadBytes),
    payloadBytes: totals.payloadBytes,
    bytesSent,
    bytesPerNode: Math.round(bytesSent / nodes),
    rejected: totals.rejected,
    refused: totals.refused,
    ignored: totals.ignored,
    ...(sent > 0 ? { corrupt: { sent, rejectedBy, beyondFirstHop, delivered } } : {}),
    skipped: run.skipped,
    repeated: run.repeated,
    untracked: totals.untracked,
    perNode,
  }
}

export function nodeReport(run: Pick<Measured, 'fleet' | 'tally'>, node: number): NodeReport {
  const stats = run.fleet.countedBy(node)
  const { peers = 0, received = 0, accepted = 0, rejected = 0 } = stats ?? {}
  const { acceptedBytes = 0, receivedBytes = 0, sentBytes = 0 } = stats ?? {}
  const latencies = run.tally.latenciesOf[node]
  return {
    node: node + 1,
    peers,
    received,
    accepted,
    rejected,
    latencyMs: latencies === undefined ? { p50: 0, p95: 0, max: 0 } : latencyOf(latencies),
    copies: ratio(receivedBytes, acceptedBytes),
    bytesReceived: receivedBytes,
    bytesSent: sentBytes,
  }
}

/** Why a run has failed, apart from what failed on the way. */
export function problemsOf(totals: Totals, nodes: number, wasEnded: boolean, mode?: Mode): string[] {
  const problems: string[] = []
  const { messages, deliveries, refused, rejected, spoilt } = totals
  const missing = messages * (nodes - 1) - deliveries
  if (messages === 0 && refused > 0) problems.push(`the gate refused all ${refused} messages`)
  else if (messages === 0 && !isAllSpoilt(totals))
    problems.push(wasEnded ? 'ended before any message was sent' : 'no message was sent')
  if (missing > 0)
    problems.push(`${formatCount(missing)} of ${formatCount(messages * (nodes - 1))} deliveries are missing`)
  // Swarms go on by their header; one that is spoilt in its body must be delivered nowhere.
  const isByHeader = mode === 'swarm' || mode === 'auto'
  if (isByHeader ? spoilt.delivered > 0 : spoilt.beyondFirstHop > 0) {
    problems.push(
      `spoilt messages were seen beyond the first hop: ${spoilt.beyondFirstHop} times, ${spoilt.delivered} of them accepted`,
    )
  }
  if (spoilt.unjudged > 0) problems.push(`${spoilt.unjudged} spoilt messages reached no gate`)
  // Nothing else is left to show that the gate works. Here all that was rejected was spoilt.
  const unrejected = spoilt.sent - spoilt.unjudged - rejected
  if (isAllSpoilt(totals) && unrejected > 0)
    problems.push(`${formatCount(unrejected)} spoilt messages were rejected by no node`)
  return problems
}

/** Whether the run has come to something that can be shown in figures. */
export function hasFigures({ messages, coverage }: Pick<ClusterReport, 'messages' | 'coverage'>): boolean {
  return messages > 0 || coverage === 1
}

/** The summary for people: aligned, with units. */
export function summary(report: ClusterReport): string {
  const { nodes, messages, corrupt } = report
  const notes = [
    [report.refused, 'refused by the gate'],
    [report.ignored, 'verdicts were ignore'],
    [report.skipped, 'skipped, the nodes could not keep the rate'],
    [report.repeated, 'repeated by the feed, sent once'],
    [report.untracked, 'left the books unfinished'],
  ] as const
  const rows: [string, string][] = [
    ['messages', `${formatCount(messages)} accepted, ${formatCount(report.rejected)} rejected`],
    ...notes
      .filter(([count]) => count > 0)
      .map(([count, what]): [string, string] => ['', `${formatCount(count)} ${what}`]),
    ...arrivals(report),
    ['sent', `${formatBytes(report.bytesSent)} by all nodes, ${formatBytes(report.bytesPerNode)} by each`],
  ]
  if (corrupt !== undefined) {
    const beyond = corrupt.beyondFirstHop === 0 ? 'none' : String(corrupt.beyondFirstHop)
    rows.push([
      'spoilt',
      `${formatCount(corrupt.sent)} sent, ${formatCount(corrupt.rejectedBy)} times rejected, ${beyond} beyond the first hop`,
    ])
  }
  const head = `${nodes} nodes, topic ${report.topic}, ${formatElapsed(report.seconds * 1_000)}`
  const lines = rows.map(([name, value]) => `${name.padEnd(10)} ${value}`)
  const problems = report.problems.map(problem => `failed     ${problem.replaceAll('\n', '\n           ')}`)
  return [head, '', ...(hasFigures(report) ? lines : []), ...problems].join('\n')
}

/** The rows about what was delivered. */
function arrivals({
  messages,
  nodes,
  coverage,
  deliveries,
  latencyMs,
  copies,
}: ClusterReport): [string, string][] {
  if (messages === 0)
    return [['coverage', `${percent(coverage)} (every message was spoilt on purpose: nothing is missing)`]]
  const { p50, p95, max } = latencyMs
  const expected = formatCount(messages * (nodes - 1))
  return [
    ['coverage', `${percent(coverage)} (${formatCount(deliveries)} of ${expected} deliveries)`],
    ['latency', `p50 ${formatMs(p50)}, p95 ${formatMs(p95)}, max ${formatMs(max)}`],
    ['copies', `${digits3(copies)} of each payload byte and node, control messages included`],
  ]
}

/** `100 %` only when nothing is missing. */
export function percent(share: number): string {
  return share === 1 ? '100 %' : `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`
}

function latencyOf(latencies: Latencies): ClusterReport['latencyMs'] {
  const [p50, p95] = [latencies.quantileMs(0.5), latencies.quantileMs(0.95)]
  return { p50: round(p50, 3), p95: round(p95, 3), max: round(latencies.maxMs, 3) }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : round(part / whole, 3)
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}

function roundDown(value: number, digits: number): number {
  return Math.floor(value * 10 ** digits) / 10 ** digits
}
