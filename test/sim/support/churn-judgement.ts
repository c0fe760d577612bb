/**
 * What must hold of a network whose nodes come and go (`peers-churn.ts`).
 */
import type { Amounts, Churned } from './peers-churn.ts'

/** The share of node-seconds with all the outbound connections that are wanted. */
const CONTENT_SHARE = 0.95

/** For how long a node may have fewer than two thirds of them. */
const FEW_SECONDS = 30

/**
 * How much more there may be in the end, a share of what there was: some three times what chance makes of it. A leak of
 * one entry for each connection is five percent of all entries after six minutes.
 */
const GROWTH = { timers: 0.15, functions: 0.05, entries: 0.05, 'listeners of the process': 0, heap: 0.1 }

/** What does not hold, a line each. @param slack how many times as much growth is allowed as in an hour */
export function problemsOf(churned: Churned, slack = 1): string[] {
  const { looks, tornAtS, departures, early, late } = churned
  const problems: string[] = []
  if (looks === 0 || departures === 0) problems.push('nothing was tested')
  if (tornAtS.length > 0) problems.push(`torn at ${tornAtS.join(', ')} s`)
  const content = contentShare(churned)
  if (!(content >= CONTENT_SHARE)) problems.push(`only ${percent(content)} of the time at the target`)
  if (churned.fewSeconds > FEW_SECONDS) problems.push(`below two thirds for ${churned.fewSeconds} s`)
  for (const [what, ratio] of growthOf(early, late)) {
    if (ratio > 1 + slack * GROWTH[what]) problems.push(`${what}: ${percent(ratio - 1)} more than before`)
  }
  return problems
}

export function contentShare({ contentSeconds, nodeSeconds }: Churned): number {
  return contentSeconds / nodeSeconds
}

/** How many times as much there was in the end, of each; of what nodes have in memory, for each node. */
export function growthOf(early: Amounts, late: Amounts): [what: keyof typeof GROWTH, ratio: number][] {
  const perNode = (amount: (of: Amounts) => number): number =>
    amount(late) / late.nodesInMemory / (amount(early) / early.nodesInMemory)
  return [
    ['timers', late.timers / early.timers],
    ['functions', perNode(({ functions }) => functions)],
    ['entries', perNode(({ entries }) => entries)],
    ['listeners of the process', late.processListeners / early.processListeners],
    ['heap', perNode(({ heapBytes }) => heapBytes)],
  ]
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
