/**
 * The live table: what a run looks like at a moment, as lines of text.
 */
import { table } from '../table.ts'
import type { Fleet } from './fleet.ts'
import type { NodeProcess } from './process.ts'
import { clockUs } from './protocol.ts'
import { nodeReport, percent } from './report.ts'
import type { Run } from './run.ts'
import { coverageOf } from './tally.ts'
import { digits3, formatBytes, formatCount, formatElapsed, formatMs } from './units.ts'

/** Younger messages may well be on their way: what they lack says nothing about coverage yet. */
const ON_THEIR_WAY_US = 2_000_000

/** What of a run is seen. */
export interface Viewed extends Pick<Run, 'plan' | 'tally' | 'phase' | 'elapsedMs'> {
  readonly fleet: Pick<Fleet, 'countedBy'> & { readonly nodes: readonly Pick<NodeProcess, 'started'>[] }
}

/** Two lines of heading, one empty, the table. At most `rows` lines of at most `columns` characters. */
export function frame(run: Viewed, { rows, columns }: { rows: number; columns: number }): string[] {
  const titles = heading(run)
  const lines = [...titles, '', ...nodeTable(run, rows - titles.length - 1)]
  return lines.slice(0, Math.max(1, rows)).map(line => [...line].slice(0, columns).join(''))
}

/** The table of the nodes; when it would have more than `rows` lines, its last says how many nodes it leaves out. */
export function nodeTable(run: Viewed, rows: number): string[] {
  const { nodes } = run.plan
  const shown = nodes + 1 <= rows ? nodes : Math.max(0, rows - 2)
  const titles = ['node', 'peers', 'in', 'accepted', 'rejected', 'p50 ms', 'p95 ms', 'copies', 'sent']
  const cells = Array.from({ length: shown }, (_, node) => {
    const { peers, received, accepted, rejected, latencyMs, copies, bytesSent } = nodeReport(run, node)
    const counts = [received, accepted, rejected].map(formatCount)
    const figures = [latencyMs.p50, latencyMs.p95, copies].map(figure =>
      figure === 0 ? '–' : digits3(figure),
    )
    return [node + 1, peers, ...counts, ...figures, formatBytes(bytesSent)]
  })
  const lines = table(titles, cells).split('\n')
  return shown === nodes ? lines : [...lines, `… ${nodes - shown} more`]
}

function heading(run: Viewed): string[] {
  const { nodes, topic } = run.plan
  const totals = run.tally.totals()
  const { latencies } = run.tally
  const settled = run.tally.totals(clockUs() - ON_THEIR_WAY_US)
  const latency = (share: number): string =>
    latencies.count === 0 ? '–' : formatMs(latencies.quantileMs(share))
  const facts = [
    `${formatCount(totals.messages)} messages`,
    `${formatCount(totals.rejected)} rejected`,
    `coverage ${settled.messages === 0 ? '–' : percent(coverageOf(settled, nodes))}`,
    `p50 ${latency(0.5)}`,
    `p95 ${latency(0.95)}`,
  ]
  // The topic comes last: it may be long, and what does not fit is cut.
  return [
    `floodgate cluster · ${phaseOf(run)} · ${formatElapsed(run.elapsedMs)} · ctrl-c ends · topic ${topic}`,
    facts.join(' · '),
  ]
}

function phaseOf(run: Viewed): string {
  const { nodes } = run.plan
  const started = run.fleet.nodes.filter(node => node.started !== undefined).length
  if (run.phase === 'starting') return `starting ${started} of ${nodes} nodes`
  if (run.phase === 'joining') return `joining ${nodes} nodes`
  if (run.phase === 'draining') return 'last messages'
  return run.phase === 'ending' ? 'ending' : `${nodes} nodes`
}
