/**
 * Hours of churn: `node test/long/churn.ts [SEEDS] [MINUTES] [NODES]`, 10 seeds, 60 minutes and 50 nodes unless told
 * otherwise. Prints a line for each seed, and exits with 1 when something does not hold (`churn-judgement.ts`).
 *
 * A process for each seed, two at a time. An hour of 50 nodes costs some ten minutes of CPU time.
 */
import { runLong } from '../sim/support/child.ts'
import { contentShare, growthOf, percent, problemsOf } from '../sim/support/churn-judgement.ts'
import type { Churned } from '../sim/support/peers-churn.ts'

const AT_ONCE = 2

/** Real time for one minute of one node, on a busy machine. */
const DEADLINE_MS = 5_000

const [seeds = 10, minutes = 60, nodes = 50] = process.argv.slice(2).map(Number)
if (![seeds, minutes, nodes].every(it => Number.isInteger(it) && it > 0) || minutes < 5 || nodes < 16)
  throw new Error('SEEDS MINUTES NODES are whole numbers, at least 1, 5 and 16')

let broken = 0
let next = 1

async function work(): Promise<void> {
  while (next <= seeds) await run(next++)
}

async function run(seed: number): Promise<void> {
  const line = (text: string): void => console.log(`seed ${String(seed).padStart(2)}: ${text}`)
  try {
    const args = [seed, minutes, nodes].map(String)
    const churned = await runLong<Churned>(minutes * nodes * DEADLINE_MS, 'peers-churn', args)
    const problems = problemsOf(churned)
    if (problems.length > 0) broken++
    line(`${summary(churned)}  ${problems.length === 0 ? 'ok' : problems.join('; ')}`)
  } catch (error) {
    broken++
    line(`FAILED ${(error as Error).message}`)
  }
}

function summary(churned: Churned): string {
  const { looks, tornAtS, departures, fewSeconds, early, late, cpuSeconds } = churned
  const growth = growthOf(early, late).map(([what, ratio]) => `${what} ${ratio.toFixed(3)}`)
  return [
    `${departures} departures`,
    `whole ${looks - tornAtS.length} of ${looks} times`,
    `at the target ${percent(contentShare(churned))}`,
    `below two thirds ${fewSeconds} s`,
    `from minute ${early.atMinute} to ${late.atMinute}: ${growth.join(', ')}`,
    `${Math.round(cpuSeconds)} CPU s`,
  ].join(', ')
}

await Promise.all(Array.from({ length: AT_ONCE }, work))
console.log(broken === 0 ? `${seeds} seeds, all bounds hold` : `${broken} of ${seeds} seeds break a bound`)
process.exitCode = broken === 0 ? 0 : 1
